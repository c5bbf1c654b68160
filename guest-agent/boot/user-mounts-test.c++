#include "boot/user-mounts.h"

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

kj::String found(kj::StringPtr mountinfo) {
  return kj::strArray(mountsOfUsers(mountinfo), ", ");
}

TEST_CASE("what users mounted is taken down, the last first; the machine's own mounts stay") {
  CHECK(found("22 1 0:20 / / rw,noatime shared:1 - overlay root rw\n"
              "23 22 0:5 / /proc rw - proc proc rw\n"
              "24 22 0:6 / /dev rw shared:3 - devtmpfs devtmpfs rw\n"
              "25 24 0:7 / /dev/shm rw - tmpfs tmpfs rw\n"
              "26 22 0:8 / /run rw - tmpfs tmpfs rw\n"
              "27 25 0:9 / /sys/fs/fuse/connections rw - fusectl fusectl rw\n"
              "30 22 7:0 / /mnt rw shared:9 master:2 - ext4 /dev/loop0 rw\n"
              "31 30 0:40 / /mnt/inner rw - tmpfs none rw\n") == "/mnt/inner, /mnt");
}

TEST_CASE("a disk that covers a mount of the machine's is the user's") {
  CHECK(found("30 22 7:0 / /run rw - ext4 /dev/loop0 rw\n") == "/run");
  CHECK(found("30 22 7:0 / /dev/shm rw - ext4 /dev/loop0 rw\n") == "/dev/shm");
}

TEST_CASE("names with spaces, tabs, line feeds and backslashes are what they were") {
  CHECK(found("30 22 7:0 / /a\\040b\\011c\\012d\\134e rw - ext4 x rw\n") == "/a b\tc\nd\\e");
  CHECK(found("30 22 7:0 / /a\\04 rw - ext4 x rw\n") == "/a\\04");
  CHECK(found("30 22 7:0 / /a\\ rw - ext4 x rw\n") == "/a\\");
}

TEST_CASE("lines that are none are passed over") {
  CHECK(found("") == "");
  CHECK(found("nonsense\n1 2 3 4 5 6\n1 2 3 / /x rw -\n\n") == "");
}

TEST_CASE("swap areas are the first column below the heading") {
  auto areas = swapAreas(
      "Filename\t\t\tType\t\tSize\tUsed\tPriority\n"
      "/swap\\040file                              file\t\t102396\t0\t-2\n/dev/vdc partition 1 0 "
      "-3\n");
  CHECK(kj::strArray(areas, ", ") == "/swap file, /dev/vdc");
  CHECK(swapAreas("Filename Type\n").size() == 0);
  CHECK(swapAreas("").size() == 0);
}

}  // namespace
}  // namespace bothy
