# The simulated pool of swims. sim_swim has the flags of the tree (sanitizers): a short sweep of seeds, and the stories. The
# copy of the core in planted_swim is always optimised and has faults in it (libswim/src/planted.h).
# By hand: sim_swim --seed X --runs N; sim_swim --story NAME.
set(swim_core ${PROJECT_SOURCE_DIR}/libswim)
add_executable(sim_swim sim_swim.c swim_stories.c swim_world.c)
target_include_directories(sim_swim PRIVATE ${swim_core}/src ${PROJECT_SOURCE_DIR}/base/src)
target_link_libraries(sim_swim PRIVATE muster-flags muster::swim muster-base-objects)
add_test(NAME sim_swim COMMAND sim_swim --seed 1 --runs 10 --twice)
add_test(NAME sim_swim_stories COMMAND sim_swim --story all)
set_tests_properties(sim_swim sim_swim_stories PROPERTIES LABELS sim TIMEOUT 120)

if(MUSTER_SANITIZE MATCHES "thread")
  return() # one thread
endif()
# The core and what it needs of base are compiled again, without sanitizers, and so that faults can be planted.
get_target_property(core muster-swim SOURCES)
list(FILTER core INCLUDE REGEX "^src/")
list(TRANSFORM core PREPEND ${swim_core}/)
set(base alloc arena cursor heap map msgpack prng regexp regexp_parse utf8)
list(TRANSFORM base REPLACE "(.+)" "${PROJECT_SOURCE_DIR}/base/src/\\1.c")
add_library(sim-swim-core STATIC swim_world.c ${core} ${base})
target_include_directories(sim-swim-core PUBLIC ${swim_core}/src ${swim_core}/include
  ${PROJECT_SOURCE_DIR}/base/src ${PROJECT_SOURCE_DIR}/base/include)
target_compile_definitions(sim-swim-core PUBLIC _POSIX_C_SOURCE=200809L SWIM_PLANTED_FAULTS)
target_compile_options(sim-swim-core PUBLIC -O2)
target_link_libraries(sim-swim-core PUBLIC ${MBEDCRYPTO_LIBRARY} m)

add_executable(planted_swim planted_swim.c swim_stories.c)
target_link_libraries(planted_swim PRIVATE sim-swim-core)
add_test(NAME sim_swim_planted COMMAND planted_swim)
set_tests_properties(sim_swim_planted PROPERTIES LABELS sim TIMEOUT 600)

# Large pools: docs/gossip-proof.md.
add_executable(swim_scale swim_scale.c swim_measure.c)
add_executable(swim_crowd swim_crowd.c swim_lights.c)
target_link_libraries(swim_scale PRIVATE sim-swim-core)
target_link_libraries(swim_crowd PRIVATE sim-swim-core)
add_test(NAME sim_swim_scale COMMAND swim_scale --nodes 500 --kill 5 --loss 10)
add_test(NAME sim_swim_crowd COMMAND swim_crowd --members 5000)
set_tests_properties(sim_swim_scale sim_swim_crowd PROPERTIES LABELS sim TIMEOUT 120)
if(MUSTER_LONG_TESTS)
  add_test(NAME sim_swim_scale_long COMMAND swim_scale --nodes 2000 --kill 20 --loss 10)
  add_test(NAME sim_swim_restart_long COMMAND swim_scale --nodes 1000 --restart 60)
  add_test(NAME sim_swim_crowd_long COMMAND swim_crowd --members 30000)
  set_tests_properties(sim_swim_scale_long sim_swim_restart_long sim_swim_crowd_long PROPERTIES LABELS sim TIMEOUT 900)
endif()
