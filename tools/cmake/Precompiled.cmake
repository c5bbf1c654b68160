# Headers of KJ, Cap'n Proto and Catch2 that nearly every file includes, compiled once for all files of the same flags.
# A file still includes what it uses: check-tidy compiles each without this.

option(BOTHY_PRECOMPILE "Precompile headers that most files include" ON)

set(BOTHY_PRECOMPILED_programs
  <algorithm> <map> <set> <string> <vector>
  <capnp/message.h> <capnp/rpc-twoparty.h>
  <kj/async-io.h> <kj/debug.h> <kj/filesystem.h> <kj/function.h> <kj/map.h> <kj/one-of.h> <kj/timer.h> <kj/vector.h>)
set(BOTHY_PRECOMPILED_tests ${BOTHY_PRECOMPILED_programs}
  <catch2/catch_test_macros.hpp> <catch2/matchers/catch_matchers_string.hpp>)

if(BOTHY_PRECOMPILE)
  # The same headers give the same bytes, or ccache would find nothing after a clean build.
  add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")
  set(CMAKE_PCH_INSTANTIATE_TEMPLATES ON)
endif()

# bothy_precompiled(TARGET KIND): TARGET begins with the headers of KIND: programs or tests.
function(bothy_precompiled target kind)
  if(NOT BOTHY_PRECOMPILE)
    return()
  endif()
  # One for each set of flags: what a directory adds makes others.
  get_property(flags DIRECTORY PROPERTY COMPILE_OPTIONS)
  string(SHA256 key "${kind} ${flags}")
  string(SUBSTRING ${key} 0 8 key)
  set(shared precompiled-${kind}-${key})
  if(NOT TARGET ${shared})
    set(source ${CMAKE_BINARY_DIR}/precompiled/${shared}.c++)
    file(CONFIGURE OUTPUT ${source} CONTENT "")
    add_library(${shared} OBJECT ${source})
    target_link_libraries(${shared} PRIVATE CapnProto::capnp-rpc)
    if(kind STREQUAL "tests")
      bothy_test_options(${shared})
      target_link_libraries(${shared} PRIVATE Catch2::Catch2)
    endif()
    target_precompile_headers(${shared} PRIVATE ${BOTHY_PRECOMPILED_${kind}})
  endif()
  target_precompile_headers(${target} REUSE_FROM ${shared})
endfunction()
