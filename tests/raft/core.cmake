# The core: a binary a source file, scenarios as text on the simulator's servers, and what the library links to.
set(core ${PROJECT_SOURCE_DIR}/libraft/src)
set(sim ${PROJECT_SOURCE_DIR}/tests/sim)
foreach(part configuration core log message oom progress quorum restore snapshot_receive snapshot_send steady)
  muster_test(test_raft_${part} SOURCES test_${part}.c LIBS muster-raft INCLUDES ${core})
endforeach()
if(TARGET test_raft_steady)
  target_sources(test_raft_steady PRIVATE ${PROJECT_SOURCE_DIR}/tests/kit/raft_trio.c)
endif()
muster_test(test_raft_scenarios
  SOURCES test_scenarios.c script.c ${sim}/raft_host.c ${sim}/raft_machine.c ${sim}/raft_files.c ${sim}/raft_disk.c
    ${sim}/raft_checks.c ${sim}/raft_cover.c ${sim}/raft_describe.c ${sim}/linear.c ${sim}/linear_zones.c ${sim}/world.c
  LIBS muster-raft INCLUDES ${core} ${sim})
# Sanitizers bring symbols of their own.
if(NOT MUSTER_SANITIZE)
  add_test(NAME raft_is_pure COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/check_symbols.sh ${CMAKE_NM} $<TARGET_FILE:muster-raft>
    ${CMAKE_CURRENT_SOURCE_DIR}/data/allowed_symbols ${PROJECT_SOURCE_DIR}/libraft/exported.txt)
  set_tests_properties(raft_is_pure PROPERTIES LABELS unit)
endif()
add_executable(raft_by_hand ${PROJECT_SOURCE_DIR}/libraft/example/by_hand.c)
target_link_libraries(raft_by_hand PRIVATE muster-flags muster::raft)
add_test(NAME raft_by_hand COMMAND raft_by_hand)
set_tests_properties(raft_by_hand PROPERTIES LABELS unit)
muster_test(test_raft_linear SOURCES test_linear.c ${sim}/linear.c ${sim}/linear_zones.c INCLUDES ${sim})
