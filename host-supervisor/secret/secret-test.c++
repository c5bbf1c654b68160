#include "secret/secret.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <kj/debug.h>
#include <kj/io.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

// The flags of the mapping that holds `address`, as proc(5) tells them in smaps.
kj::String flagsOf(const void* address) {
  int fd;
  KJ_SYSCALL(fd = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC));
  auto text = kj::FdInputStream(kj::AutoCloseFd(fd)).readAllText();
  kj::StringPtr rest = text;
  bool isOurs = false;
  while (rest.size() > 0) {
    size_t end = rest.findFirst('\n').orDefault(rest.size());
    auto line = kj::heapString(rest.slice(0, end));
    rest = rest.slice(kj::min(end + 1, rest.size()));
    unsigned long from, to;
    if (sscanf(line.cStr(), "%lx-%lx ", &from, &to) == 2) {
      auto wanted = reinterpret_cast<unsigned long>(address);
      isOurs = from <= wanted && wanted < to;
    }
    if (isOurs && line.startsWith("VmFlags:")) return line;
  }
  KJ_FAIL_ASSERT("the address is not mapped");
}

bool has(kj::StringPtr flags, kj::StringPtr flag) {
  return strstr(flags.cStr(), kj::str(" ", flag).cStr()) != nullptr;
}

TEST_CASE("E02 a secret lies in memory that is locked, not dumped and not inherited") {
  Secret secret(32);
  auto flags = flagsOf(secret.bytes().begin());
#if !__has_feature(address_sanitizer)  // whose run-time library makes mlock(2) do nothing
  CHECK(has(flags, "lo"));
#endif
  CHECK(has(flags, "dd"));
  CHECK(has(flags, "wf"));
}

TEST_CASE("a secret moves and is copied only where that is said") {
  Secret first(3);
  memcpy(first.bytes().begin(), "abc", 3);
  auto copy = first.clone();
  Secret moved = kj::mv(first);
  CHECK(first.bytes() == nullptr);
  CHECK(moved.bytes() == copy.bytes());
  CHECK(moved.bytes().begin() != copy.bytes().begin());
  moved = kj::mv(copy);
  CHECK(moved.bytes() == "abc"_kj.asBytes());
}

TEST_CASE("a secret as hexadecimal digits is a secret of twice the size") {
  Secret secret(3);
  secret.bytes()[0] = 0x01;
  secret.bytes()[1] = 0xaf;
  CHECK(hexadecimal(secret).bytes() == "01af00"_kj.asBytes());
}

TEST_CASE("a secret of no size or of too much is refused") {
  CHECK_THROWS(Secret(0));
  CHECK_THROWS(Secret(MAX_SECRET_BYTES + 1));
}

}  // namespace
}  // namespace bothy
