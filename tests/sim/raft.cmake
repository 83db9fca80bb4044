# Clusters of raft cores under seeded faults: a short sweep in each test run; more by hand, sim_raft --seed S --runs R.
add_executable(sim_raft sim_raft.c raft_host.c raft_checks.c world.c)
target_include_directories(sim_raft PRIVATE ${PROJECT_SOURCE_DIR}/libraft/src)
target_link_libraries(sim_raft PRIVATE muster-flags muster-base-objects muster::raft)
add_test(NAME sim_raft COMMAND sim_raft --seed 1 --runs 40)
set_tests_properties(sim_raft PROPERTIES TIMEOUT 120 LABELS sim)
