#include "files/process-entry.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr kj::StringPtr MOUNTINFO =
    "22 1 0:20 / / rw,noatime shared:1 - overlay root rw\n"
    "23 22 0:5 / /proc rw - proc proc rw\n"
    "24 22 0:5 /17 /mnt/a\\040process rw shared:3 - proc proc rw\n"
    "25 22 0:5 /17/maps /tmp/maps rw - proc proc rw\n"
    "nonsense\n"
    "2 1\n"_kj;

kj::String inside(uint64_t mount, kj::StringPtr path) {
  return pathInFileSystem(MOUNTINFO, mount, path).orDefault(kj::str("none"));
}

TEST_CASE("S42 a file's path in its file system is that below the mount, after the mount's root") {
  CHECK(inside(22, "/home/user") == "/home/user");
  CHECK(inside(23, "/proc/17/maps") == "/17/maps");
  CHECK(inside(23, "/proc") == "");
  CHECK(inside(24, "/mnt/a process/maps") == "/17/maps");
  CHECK(inside(24, "/mnt/a process") == "/17");
  CHECK(inside(25, "/tmp/maps") == "/17/maps");
}

TEST_CASE("S42 a file of which its mount says nothing has no path there") {
  CHECK(inside(99, "/proc/17/maps") == "none");
  CHECK(inside(23, "/process/17/maps") == "none");
  CHECK(inside(23, "/elsewhere/17/maps") == "none");
  CHECK(inside(2, "/x") == "none");
}

TEST_CASE("S42 of a process all is its own but what everybody may read") {
  CHECK(isOfProcess("/17/maps", 17));
  CHECK(isOfProcess("/17/task/17/status", 17));
  CHECK(isOfProcess("/17/netlink", 17));
  for (auto path : {"/17", "/17/status", "/17/net/dev", "/1/maps", "/170/maps", "/self", ""}) {
    INFO(path);
    CHECK_FALSE(isOfProcess(path, 17));
  }
}

}  // namespace
}  // namespace bothy
