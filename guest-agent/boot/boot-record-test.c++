#include "boot/boot-record.h"

#include <kj/debug.h>
#include <kj/io.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>

namespace bothy {
namespace {

struct Scratch {
  Scratch() { KJ_ASSERT(mkdtemp(directory) != nullptr); }
  ~Scratch() { std::filesystem::remove_all(directory); }
  kj::String file() { return kj::str(directory, "/wtmp"); }

  char directory[32] = "/tmp/bothy-record-XXXXXX";
};

TEST_CASE("a boot and a shutdown are records as login's programs read them") {
  Scratch scratch;
  addRecord(scratch.file(), RecordKind::BOOT);
  addRecord(scratch.file(), RecordKind::SHUTDOWN);
  struct utmp records[2];
  std::ifstream file(scratch.file().cStr(), std::ios::binary);
  file.read(reinterpret_cast<char*>(records), sizeof(records));
  REQUIRE(file.gcount() == sizeof(records));
  CHECK(file.peek() == std::ifstream::traits_type::eof());
  CHECK(records[0].ut_type == BOOT_TIME);
  CHECK(kj::StringPtr(records[0].ut_user) == "reboot");
  CHECK(records[1].ut_type == RUN_LVL);
  CHECK(kj::StringPtr(records[1].ut_user) == "shutdown");
  CHECK(records[0].ut_tv.tv_sec > 0);
}

TEST_CASE("P48 records wait for nobody and follow no link") {
  Scratch scratch;
  SECTION("a FIFO") {
    KJ_SYSCALL(mkfifo(scratch.file().cStr(), 0600));
  }
  SECTION("a directory") {
    KJ_SYSCALL(mkdir(scratch.file().cStr(), 0700));
  }
  SECTION("a link") {
    KJ_SYSCALL(symlink("/dev/null", scratch.file().cStr()));
  }
  CHECK_THROWS_AS(addRecord(scratch.file(), RecordKind::BOOT), kj::Exception);
}

TEST_CASE("a file of records does not grow without end") {
  Scratch scratch;
  std::ofstream(scratch.file().cStr()) << "x";
  std::filesystem::resize_file(scratch.file().cStr(), MAX_RECORDS_BYTES + 1);
  addRecord(scratch.file(), RecordKind::BOOT);
  CHECK(std::filesystem::file_size(scratch.file().cStr()) == MAX_RECORDS_BYTES + 1);
}

}  // namespace
}  // namespace bothy
