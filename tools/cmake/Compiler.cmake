# KJ's coroutines need Clang: g++ before 14.3 crashes on them.  Included before project(), so that
# whoever names no compiler gets a fit one.
if(NOT CMAKE_CXX_COMPILER AND NOT DEFINED ENV{CXX})
  find_program(BOTHY_CLANGXX NAMES clang++-19)
  find_program(BOTHY_CLANG NAMES clang-19)
  if(NOT BOTHY_CLANGXX OR NOT BOTHY_CLANG)
    message(FATAL_ERROR "clang-19 is not installed: run tools/bootstrap.")
  endif()
  set(CMAKE_CXX_COMPILER ${BOTHY_CLANGXX})
  set(CMAKE_C_COMPILER ${BOTHY_CLANG})
endif()

find_program(BOTHY_CCACHE NAMES ccache)
if(BOTHY_CCACHE)
  # Precompiled headers hide their macros from ccache, which then declines; ours come from headers outside this tree.
  set(launcher /usr/bin/env CCACHE_SLOPPINESS=pch_defines,time_macros ${BOTHY_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
