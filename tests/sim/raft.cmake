# Clusters of raft cores under seeded faults. sim_raft has the flags of the tree (sanitizers), and runs few seeds; the sweep
# runs many on a copy of the core that is always optimised, and planted_raft runs the copy that has faults in it
# (libraft/src/planted.h). More by hand: sim_raft_sweep --seed S --runs R.
if(MUSTER_SANITIZE MATCHES "thread")
  return() # one thread
endif()
set(raft_runs 2000)
if(MUSTER_LONG_TESTS)
  set(raft_runs 50000)
endif()
set(raft_host raft_host.c raft_machine.c raft_files.c raft_disk.c raft_checks.c raft_cover.c raft_describe.c linear.c linear_zones.c world.c)
set(raft_swarm raft_swarm.c raft_picks.c raft_faults.c ${raft_host})
set(raft_core ${PROJECT_SOURCE_DIR}/libraft)

add_executable(sim_raft sim_raft.c ${raft_swarm})
target_include_directories(sim_raft PRIVATE ${raft_core}/src)
target_link_libraries(sim_raft PRIVATE muster-flags muster-base-objects muster::raft)
add_test(NAME sim_raft COMMAND sim_raft --seed 1 --runs 30)

# The core and what it needs of base are compiled again, without sanitizers, and as one where the tools can do that.
include(CheckIPOSupported)
check_ipo_supported(RESULT raft_ipo OUTPUT raft_ipo_reason LANGUAGES C)
function(raft_optimised name)
  get_target_property(core muster-raft SOURCES)
  list(FILTER core INCLUDE REGEX "^src/")
  list(TRANSFORM core PREPEND ${raft_core}/)
  set(base alloc arena cursor heap map prng)
  list(TRANSFORM base REPLACE "(.+)" "${PROJECT_SOURCE_DIR}/base/src/\\1.c")
  add_executable(${name} ${ARGN} ${raft_swarm} ${core} ${base})
  target_include_directories(${name} PRIVATE ${raft_core}/src ${raft_core}/include
    ${PROJECT_SOURCE_DIR}/base/src ${PROJECT_SOURCE_DIR}/base/include)
  target_compile_definitions(${name} PRIVATE _POSIX_C_SOURCE=200809L)
  target_compile_options(${name} PRIVATE -O2)
  set_target_properties(${name} PROPERTIES INTERPROCEDURAL_OPTIMIZATION ${raft_ipo})
  target_link_libraries(${name} PRIVATE m)
endfunction()

raft_optimised(sim_raft_sweep sim_raft.c)
add_test(NAME sim_raft_sweep COMMAND sim_raft_sweep --seed 10000 --runs ${raft_runs})
raft_optimised(planted_raft planted_raft.c)
target_compile_definitions(planted_raft PRIVATE RAFT_PLANTED_FAULTS)
add_test(NAME sim_raft_planted COMMAND planted_raft)
set_tests_properties(sim_raft sim_raft_sweep sim_raft_planted PROPERTIES TIMEOUT 300 LABELS sim)
if(MUSTER_LONG_TESTS)
  set_tests_properties(sim_raft_sweep PROPERTIES TIMEOUT 3600)
endif()
