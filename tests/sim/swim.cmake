# The simulated pool of swims. A short sweep runs with the tests; `sim_swim --seed X --runs N` runs a longer one.
add_executable(sim_swim sim_swim.c swim_world.c)
target_include_directories(sim_swim PRIVATE ${PROJECT_SOURCE_DIR}/libswim/src ${PROJECT_SOURCE_DIR}/base/src)
target_link_libraries(sim_swim PRIVATE muster-flags muster::swim muster-base-objects)
add_test(NAME sim_swim COMMAND sim_swim --seed 1 --runs 10 --twice)
set_tests_properties(sim_swim PROPERTIES LABELS sim TIMEOUT 120)
