# Compiler flags shared by all our targets; they belong to an interface target, not to the directory.
add_library(muster-flags INTERFACE)
target_compile_definitions(muster-flags INTERFACE _POSIX_C_SOURCE=200809L)
target_compile_options(muster-flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wcast-qual -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wimplicit-fallthrough)
if(MUSTER_WERROR)
  target_compile_options(muster-flags INTERFACE -Werror)
endif()
# base is linked into every library, and each takes from it only what it uses.
if(NOT MUSTER_SANITIZE)
  target_compile_options(muster-flags INTERFACE -ffunction-sections -fdata-sections)
  target_link_options(muster-flags INTERFACE -Wl,--gc-sections)
endif()
if(MUSTER_SANITIZE)
  target_compile_options(muster-flags INTERFACE -fsanitize=${MUSTER_SANITIZE}
    -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(muster-flags INTERFACE -fsanitize=${MUSTER_SANITIZE})
endif()
if(MUSTER_FUZZ)
  target_compile_options(muster-flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
