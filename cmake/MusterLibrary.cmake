# muster_library(NAME SOURCES ... [HEADERS ...] [PRIVATE ...] [PUBLIC ...] [REQUIRES pc ...])
#           [REQUIRES_PRIVATE pc ...] [LIBS_PRIVATE -lx ...]
#   makes target muster-NAME (alias muster::NAME): hidden visibility, a linker version script from
#   the library's exported.txt, an install rule and a pkg-config file. base/ is linked in, hidden.
# muster_test(NAME SOURCES ... [LIBS ...] [LABELS ...] [TIMEOUT seconds])
#   makes one cmocka binary and one CTest. Labels: unit (default), sim, replay, system, and threads for what is to run
#   under TSan as well.

function(muster_library name)
  cmake_parse_arguments(L "NO_BASE" "DESCRIPTION" "SOURCES;HEADERS;PRIVATE;PUBLIC;REQUIRES;REQUIRES_PRIVATE;LIBS_PRIVATE" ${ARGN})
  set(target muster-${name})
  add_library(${target} ${L_SOURCES})
  add_library(muster::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name}
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/base/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:muster-flags> ${L_PRIVATE} PUBLIC ${L_PUBLIC})
  if(NOT L_NO_BASE)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:muster-base>)
  endif()
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/base/src)

  set(exported ${CMAKE_CURRENT_SOURCE_DIR}/exported.txt)
  if(name MATCHES "-node$")
    set(exported ${CMAKE_CURRENT_SOURCE_DIR}/node/exported.txt)
  endif()
  if(EXISTS ${exported} AND BUILD_SHARED_LIBS)
    file(STRINGS ${exported} symbols REGEX "^[a-z]")
    string(TOUPPER "${name}" upper)
    string(REPLACE "-" "_" upper ${upper})
    list(JOIN symbols ";\n    " body)
    set(script ${CMAKE_CURRENT_BINARY_DIR}/${name}.map)
    file(WRITE ${script} "MUSTER_${upper}_${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} {\n  global:\n    ${body};\n  local: *;\n};\n")
    target_link_options(${target} PRIVATE -Wl,--version-script=${script})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${exported})
  endif()

  set_property(GLOBAL PROPERTY MUSTER_EXPORTS ON)
  install(TARGETS ${target} EXPORT muster-targets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(FILES ${L_HEADERS} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/muster)
  list(JOIN L_REQUIRES " " requires)
  list(JOIN L_REQUIRES_PRIVATE " " requires_private)
  list(JOIN L_LIBS_PRIVATE " " libs_private)
  file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  string(REGEX REPLACE "/$" "" up ${up}) # the prefix is where it was installed, not configured
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/muster-${name}.pc @ONLY CONTENT [[
prefix=${pcfiledir}/@up@
libdir=${prefix}/@CMAKE_INSTALL_LIBDIR@
includedir=${prefix}/@CMAKE_INSTALL_INCLUDEDIR@

Name: muster-@name@
Description: @L_DESCRIPTION@
Version: @PROJECT_VERSION@
Requires: @requires@
Requires.private: @requires_private@
Libs: -L${libdir} -lmuster-@name@
Libs.private: @libs_private@ -lm -lpthread
Cflags: -I${includedir}
]])
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/muster-${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()

function(muster_test name)
  cmake_parse_arguments(T "" "TIMEOUT" "SOURCES;LIBS;LABELS;ARGS;INCLUDES" ${ARGN})
  if(MUSTER_SANITIZE MATCHES "thread" AND NOT "threads" IN_LIST T_LABELS)
    return() # TSan has nothing to find in a program of one thread
  endif()
  add_executable(${name} ${T_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/base/src ${PROJECT_SOURCE_DIR}/base/include
    ${PROJECT_SOURCE_DIR}/tests/kit ${T_INCLUDES})
  target_compile_definitions(${name} PRIVATE MUSTER_TEST_DATA="${CMAKE_CURRENT_SOURCE_DIR}/data")
  target_link_libraries(${name} PRIVATE muster-flags muster-base-objects ${T_LIBS} PkgConfig::CMOCKA)
  add_test(NAME ${name} COMMAND ${name} ${T_ARGS})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 120)
  endif()
  if(NOT T_LABELS)
    set(T_LABELS unit)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT} LABELS "${T_LABELS}")
endfunction()

function(muster_install_package)
  install(FILES ${PROJECT_SOURCE_DIR}/base/include/muster/mu.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/muster)
  get_property(exports GLOBAL PROPERTY MUSTER_EXPORTS)
  if(NOT exports) # a build of the daemons' tests alone
    return()
  endif()
  install(EXPORT muster-targets NAMESPACE muster:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/muster)
  configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/musterConfig.cmake.in
    ${PROJECT_BINARY_DIR}/musterConfig.cmake INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/muster)
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/musterConfigVersion.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/musterConfig.cmake ${PROJECT_BINARY_DIR}/musterConfigVersion.cmake
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/muster)
endfunction()

# muster_fuzz(WHAT [LIBS ...] [INCLUDES ...]): tests/fuzz/fuzz_WHAT.c as a libFuzzer program under MUSTER_FUZZ, otherwise a
# CTest (label replay) that runs tests/fuzz/corpus/WHAT and tests/fuzz/regress/WHAT through it.
function(muster_fuzz what)
  cmake_parse_arguments(F "" "" "LIBS;INCLUDES;SOURCES" ${ARGN})
  if(MUSTER_SANITIZE MATCHES "thread")
    return()
  endif()
  set(target fuzz_${what})
  set(here ${PROJECT_SOURCE_DIR}/tests/fuzz)
  if(MUSTER_FUZZ)
    add_executable(${target} ${here}/${target}.c ${F_SOURCES})
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    if(NOT TARGET fuzz)
      add_custom_target(fuzz) # all of them
    endif()
    add_dependencies(fuzz ${target})
  else()
    add_executable(${target} ${here}/${target}.c ${PROJECT_SOURCE_DIR}/tests/kit/replay.c ${F_SOURCES})
    add_test(NAME ${target} COMMAND ${target} ${here}/corpus/${what} ${here}/regress/${what})
    set_tests_properties(${target} PROPERTIES TIMEOUT 120 LABELS replay)
  endif()
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/base/src ${PROJECT_SOURCE_DIR}/base/include
    ${PROJECT_SOURCE_DIR}/tests/kit ${F_INCLUDES})
  target_link_libraries(${target} PRIVATE muster-flags muster-base-objects ${F_LIBS})
endfunction()
