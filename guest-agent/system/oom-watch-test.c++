#include "system/oom-watch.h"

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr kj::StringPtr REST =
    " total-vm:434192kB, anon-rss:390128kB, file-rss:852kB, shmem-rss:0kB, UID:1000 pgtables:820kB "
    "oom_score_adj:0\n"_kj;

kj::String record(kj::StringPtr priority, kj::StringPtr name) {
  return kj::str(priority, ",1234,8347754,-;Memory cgroup out of memory: Killed process 2551 (",
                 name, ")", REST);
}

TEST_CASE("P32 the victim of a want of memory is known by its number and name") {
  auto victim = KJ_ASSERT_NONNULL(parseOomVictim(record("3", "dd")));
  CHECK(victim.pid == 2551);
  CHECK(victim.name == "dd");
  auto whole = "3,1,2,-;Out of memory: Killed process 7 (a b) total-vm:1kB, anon-rss:1kB"_kj;
  CHECK(KJ_ASSERT_NONNULL(parseOomVictim(whole)).name == "a b");
}

TEST_CASE("P32 a name is told whole, whatever is in it") {
  for (kj::StringPtr name : {") total-vm:"_kj, "x (y) z"_kj, ""_kj, "Killed process"_kj}) {
    CHECK(KJ_ASSERT_NONNULL(parseOomVictim(record("3", name))).name == name);
  }
}

TEST_CASE("S42 what a user writes into the kernel's log is not the kernel's word") {
  // LOG_USER, which the kernel gives to whoever writes there.
  CHECK(parseOomVictim(record("11", "dd")) == nullptr);
  CHECK(parseOomVictim(record("", "dd")) == nullptr);
  for (kj::StringPtr text : {""_kj, "3,1,2,-;"_kj, "3,1,2,-;Killed process "_kj,
                             "3,1,2,-;Killed process 12"_kj, "3,1,2,-;Killed process 1 (x"_kj}) {
    CHECK(parseOomVictim(text) == nullptr);
  }
  // Of a program whose file has such a name.
  for (
      kj::StringPtr text :
      {"6,1,2,-;Killed process 77 (sshd) total-vm:[9]: segfault at 0 ip 0 sp 0 error 4"_kj,
       "4,1,2,-;process '/tmp/Out of memory: Killed process 77 (sshd) total-vm:' started with executable stack"_kj}) {
    CHECK(parseOomVictim(text) == nullptr);
  }
}

}  // namespace
}  // namespace bothy
