# What is needed from outside, checked with one sentence each that names the fix.

if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR CMAKE_CXX_COMPILER_VERSION VERSION_LESS 16)
  message(FATAL_ERROR
    "${CMAKE_CXX_COMPILER} (${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}) cannot compile "
    "KJ coroutines: run tools/bootstrap, then configure in an empty build directory without CXX set.")
endif()

# tools/bootstrap keeps what it builds here, outside the build tree.
if(NOT "$ENV{BOTHY_CACHE}" STREQUAL "")
  set(BOTHY_CACHE "$ENV{BOTHY_CACHE}")
elseif(NOT "$ENV{XDG_CACHE_HOME}" STREQUAL "")
  set(BOTHY_CACHE "$ENV{XDG_CACHE_HOME}/bothy")
else()
  set(BOTHY_CACHE "$ENV{HOME}/.cache/bothy")
endif()
list(PREPEND CMAKE_PREFIX_PATH
  "${BOTHY_CACHE}/current/capnproto" "${BOTHY_CACHE}/current/catch2/usr")

set(BOTHY_CAPNP_MINIMUM 1.4.0)  # has the fixes of CVE-2026-32239 and CVE-2026-32240
find_package(CapnProto CONFIG QUIET)
if(NOT CapnProto_FOUND OR CapnProto_VERSION VERSION_LESS BOTHY_CAPNP_MINIMUM)
  message(FATAL_ERROR
    "Cap'n Proto >= ${BOTHY_CAPNP_MINIMUM} was not found below ${BOTHY_CACHE}: run tools/bootstrap.")
endif()

# A Cap'n Proto compiled as C++14 lacks the coroutine classes and fails at the link.
if(NOT BOTHY_COROUTINES_LINK)
  set(probe ${CMAKE_BINARY_DIR}/coroutine-probe.c++)
  file(WRITE ${probe} "#include <kj/async.h>\nkj::Promise<int> answer() { co_return 42; }\n"
    "int main() { kj::EventLoop loop; kj::WaitScope scope(loop); return answer().wait(scope) - 42; }\n")
  try_compile(BOTHY_COROUTINES_LINK ${CMAKE_BINARY_DIR}/coroutine-probe ${probe}
    LINK_LIBRARIES CapnProto::kj-async CXX_STANDARD 20 OUTPUT_VARIABLE probe_output)
  if(NOT BOTHY_COROUTINES_LINK)
    message(FATAL_ERROR
      "The Cap'n Proto in ${CapnProto_DIR} was built without C++20 coroutines: run tools/bootstrap.\n"
      "${probe_output}")
  endif()
endif()

find_package(Catch2 3 CONFIG QUIET)
if(NOT Catch2_FOUND)
  message(FATAL_ERROR "Catch2 >= 3 was not found below ${BOTHY_CACHE}: run tools/bootstrap.")
endif()
include(Catch)

find_package(PkgConfig REQUIRED)
foreach(library IN ITEMS libarchive libcryptsetup libseccomp sqlite3 spdlog libvirt libvirt-qemu vterm)
  string(MAKE_C_IDENTIFIER ${library} variable)
  pkg_check_modules(${variable} QUIET IMPORTED_TARGET ${library})
  if(NOT ${variable}_FOUND)
    message(FATAL_ERROR "${library} was not found by pkg-config: run tools/bootstrap.")
  endif()
endforeach()
# It has no file for pkg-config.
find_library(LIBSUBID subid)
find_path(LIBSUBID_INCLUDE shadow/subid.h)
if(NOT LIBSUBID OR NOT LIBSUBID_INCLUDE)
  message(FATAL_ERROR "libsubid was not found: run tools/bootstrap.")
endif()
find_package(OpenSSL 3 REQUIRED)
find_package(CLI11 CONFIG QUIET)
if(NOT CLI11_FOUND)
  message(FATAL_ERROR "CLI11 was not found: run tools/bootstrap.")
endif()
