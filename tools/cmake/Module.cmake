# One folder = one target.  bothy_module(NAME SOURCES ... TESTS ... USES ...) makes the static
# library NAME from SOURCES, and with TESTS the Catch2 program NAME-test, each of whose test cases is
# a ctest test with the label `unit`.  What the tests alone need stands in TEST_USES.

set(BOTHY_SANITIZE "" CACHE STRING "Sanitizers, as clang's -fsanitize takes them (a ;-list)")
option(BOTHY_WERROR "Warnings are errors" ON)

add_compile_options(
  -Wall -Wextra -Wsuggest-override -Wimplicit-fallthrough -Wglobal-constructors
  -Wno-sign-compare -Wno-unused-parameter
  -ffunction-sections -fdata-sections -fno-omit-frame-pointer
  -fstack-protector-strong -pthread
  # Paths in messages and debug information start at the source tree: the same bytes anywhere.
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -ffile-prefix-map=${CMAKE_BINARY_DIR}=build)
if(BOTHY_WERROR)
  add_compile_options(-Werror)
endif()
add_compile_definitions(KJ_USE_FIBERS)  # as Cap'n Proto has it where its loop is used
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_definitions(_FORTIFY_SOURCE=2)
endif()
if(BOTHY_SANITIZE)
  list(JOIN BOTHY_SANITIZE "," sanitizers)
  # Reports name lines; the rest of the debug information would take longer to write than the code.
  add_compile_options(-fsanitize=${sanitizers} -fno-sanitize-recover=all -O1 -gline-tables-only
    # KJ requires that its exception callbacks are on the real stack.
    $<$<COMPILE_LANGUAGE:CXX>:-fsanitize-address-use-after-return=never>)
  add_link_options(-fsanitize=${sanitizers})
endif()
add_link_options(-fuse-ld=lld -Wl,--gc-sections -Wl,-z,relro,-z,now)

include(${CMAKE_CURRENT_LIST_DIR}/Precompiled.cmake)

# Includes name the folder: "process/spawn.h" within a program, "wire/vsock.h" from schema.
function(bothy_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;TESTS;USES;TEST_USES")
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/..)
  target_link_libraries(${name} PUBLIC ${arg_USES})
  bothy_precompiled(${name} programs)
  if(arg_TESTS)
    bothy_test(${name}-test LABEL unit SOURCES ${arg_TESTS} USES ${name} ${arg_TEST_USES})
  endif()
endfunction()

# How tests themselves are compiled, not what they test: nobody waits for their code, but for its compiler.
function(bothy_test_options name)
  target_compile_options(${name} PRIVATE -Wno-global-constructors -O0 -U_FORTIFY_SOURCE)
endfunction()

# All tests that need no image: what the preset asan builds.
add_custom_target(tests-without-machines)

# A Catch2 program.  LABEL is its level: unit, integration, vm, security.  Each of its test cases is a test, or with TOGETHER all of
# them are one of that name, since they share what takes long to make.
function(bothy_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LABEL;TIMEOUT;TOGETHER" "SOURCES;USES;PROPERTIES")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${name} ${arg_SOURCES})
  bothy_test_options(${name})
  target_link_libraries(${name} PRIVATE ${arg_USES} Catch2::Catch2WithMain)
  bothy_precompiled(${name} tests)
  # Long ones first.
  if(arg_LABEL STREQUAL "vm")
    set(cost 10)
  else()
    set(cost 0)
    add_dependencies(tests-without-machines ${name})
  endif()
  set(properties LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT} COST ${cost} RESOURCE_GROUPS cores:1 ${arg_PROPERTIES})
  if(arg_TOGETHER)
    add_test(NAME "${name}: ${arg_TOGETHER}" COMMAND ${name} --durations yes --colour-mode none)
    set_tests_properties("${name}: ${arg_TOGETHER}" PROPERTIES ${properties})
  else()
    catch_discover_tests(${name} DISCOVERY_MODE PRE_TEST TEST_PREFIX "${name}: " PROPERTIES ${properties})
  endif()
endfunction()
