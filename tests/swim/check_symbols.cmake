# Run with -DLIB=<library> -DOBJECTS=<its own objects, separated by |> -DEXPORTED=<exported.txt> -DNM= -DREADELF=: the core
# asks nothing of the system but memory, text and arithmetic (no clock, no socket, no file, no entropy), and exports exactly what
# exported.txt lists.
set(allowed
  malloc realloc free memcmp memcpy memmove memset strlen strchr snprintf vsnprintf __assert_fail
  log log10 sqrt fmin fmax __stack_chk_fail _GLOBAL_OFFSET_TABLE_
  mbedtls_gcm_init mbedtls_gcm_free mbedtls_gcm_setkey mbedtls_gcm_crypt_and_tag mbedtls_gcm_auth_decrypt)

string(REPLACE "|" ";" objects "${OBJECTS}")
execute_process(COMMAND ${NM} ${objects} OUTPUT_VARIABLE out COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE "\n" ";" lines "${out}")
set(defined)
set(wanted)
foreach(line IN LISTS lines)
  if(line MATCHES "^ +U ([^@ ]+)")
    list(APPEND wanted ${CMAKE_MATCH_1})
  elseif(line MATCHES "^[0-9a-f]+ [A-TV-Z] ([^@ ]+)")
    list(APPEND defined ${CMAKE_MATCH_1})
  endif()
endforeach()
list(REMOVE_DUPLICATES wanted)
list(REMOVE_ITEM wanted ${defined})
list(REMOVE_ITEM wanted ${allowed})
list(FILTER wanted EXCLUDE REGEX "^mu__") # base/, which keeps the same rule
list(FILTER wanted EXCLUDE REGEX "^__(asan|ubsan|tsan|sanitizer|gcov|.*_chk$)")
if(wanted)
  message(FATAL_ERROR "the core uses more of the system than it may: ${wanted}")
endif()

execute_process(COMMAND ${READELF} -sW ${LIB} OUTPUT_VARIABLE out COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "FUNC +GLOBAL +DEFAULT +[0-9]+ swim_[a-z_]+" found "${out}")
list(TRANSFORM found REPLACE ".* " "")
list(SORT found)
list(REMOVE_DUPLICATES found)
file(STRINGS ${EXPORTED} listed REGEX "^[a-z]")
list(SORT listed)
if(NOT found STREQUAL listed)
  message(FATAL_ERROR "exported.txt and the library differ:\n listed: ${listed}\n found: ${found}")
endif()
