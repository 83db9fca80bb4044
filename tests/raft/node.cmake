# The node: its parts against real files, then whole nodes on loopback. They look inside the library, so it must be static.
if(BUILD_SHARED_LIBS)
  return()
endif()
pkg_check_modules(EVENT REQUIRED IMPORTED_TARGET libevent)
set(node_inside ${PROJECT_SOURCE_DIR}/libraft/node)
muster_test(test_node_crc32c SOURCES test_node_crc32c.c LIBS muster-raft-node INCLUDES ${node_inside})
foreach(theme "" _damage _faults)
  muster_test(test_node_log${theme} SOURCES test_node_log${theme}.c node_log_kit.c LIBS muster-raft-node
    INCLUDES ${node_inside})
endforeach()
muster_test(test_node_scan SOURCES test_node_scan.c LIBS muster-raft-node INCLUDES ${node_inside})
muster_test(test_node_snapshot SOURCES test_node_snapshot.c LIBS muster-raft-node INCLUDES ${node_inside})
muster_test(test_node_disk SOURCES test_node_disk.c LIBS muster-raft-node PkgConfig::EVENT Threads::Threads
  INCLUDES ${node_inside} LABELS unit threads)
foreach(theme "" _cluster _faults _peers)
  muster_test(test_node${theme} SOURCES test_node${theme}.c node_world.c
    LIBS muster-raft-node PkgConfig::EVENT Threads::Threads INCLUDES ${node_inside} LABELS unit threads)
endforeach()
add_executable(raft_counter ${PROJECT_SOURCE_DIR}/libraft/example/counter.c)
target_link_libraries(raft_counter PRIVATE muster-flags muster::raft-node PkgConfig::EVENT)
add_test(NAME raft_counter COMMAND ${PROJECT_SOURCE_DIR}/tests/consumer/count $<TARGET_FILE:raft_counter>
  ${CMAKE_CURRENT_BINARY_DIR}/count)
set_tests_properties(raft_counter PROPERTIES LABELS unit)
# TLS by mbedTLS on the node's connections, as a host may put it there.
find_library(MBEDTLS_LIBRARY mbedtls REQUIRED)
find_library(MBEDX509_LIBRARY mbedx509 REQUIRED)
find_library(MBEDCRYPTO_LIBRARY mbedcrypto REQUIRED)
set(kit ${PROJECT_SOURCE_DIR}/tests/kit)
muster_test(test_node_tls SOURCES test_node_tls.c node_world.c ${kit}/tls_stream.c ${kit}/certificates.c
  LIBS muster-raft-node PkgConfig::EVENT Threads::Threads ${MBEDTLS_LIBRARY} ${MBEDX509_LIBRARY} ${MBEDCRYPTO_LIBRARY}
  INCLUDES ${node_inside} LABELS unit threads)
