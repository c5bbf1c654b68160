// A bothyd by itself: how it begins, and how it ends that is told to.  None of these needs a machine.

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "support/host-program.h"
#include "support/supervised-host.h"

namespace bothy {
namespace {

// What a bothyd logs that dials when it is told to end, see dialling-bothyd.c++.
kj::String logOfEnd(kj::StringPtr dial) {
  KJ_SYSCALL(setenv("BOTHY_DIAL", dial.cStr(), true));
  KJ_DEFER(unsetenv("BOTHY_DIAL"));
  SupervisedHost host({.program = BOTHYD_DIALLING});
  host.wait(host.supervisor().versionRequest().send().ignoreResult(), "bothyd");
  host.stop(SIGTERM);
  return hostOutput({"/bin/cat"_kj, host.log()});
}

TEST_CASE("P41 a bothyd that is told to end lets the dial under way end first") {
  auto log = logOfEnd("ends");
  INFO(log.cStr());
  CHECK(strstr(log.cStr(), "the dial has ended") != nullptr);
}

TEST_CASE("P41 a bothyd that is told to end writes what consoles have said first") {
  auto log = logOfEnd("ends");
  INFO(log.cStr());
  CHECK(strstr(log.cStr(), "the consoles are written") != nullptr);
  CHECK(strstr(log.cStr(), "the end of consoles is not recorded") == nullptr);
}

TEST_CASE("P28 a bothyd that is told to end ends, though a dial is not answered") {
  auto log = logOfEnd("hangs");
  INFO(log.cStr());
  CHECK(strstr(log.cStr(), "a dial is under way") != nullptr);
}

TEST_CASE("P28 a bothyd that cannot listen says so and ends, whatever its threads are at") {
  SupervisedHost host({.program = BOTHYD_DIALLING, .settings = "socket-group = no-such-group\n"});
  const int status = host.awaitEnd();
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 1);
  auto log = hostOutput({"/bin/cat"_kj, host.log()});
  INFO(log.cStr());
  CHECK(strstr(log.cStr(), "there is no such group") != nullptr);
  CHECK(strstr(log.cStr(), "bothyd is taken apart") == nullptr);
}

TEST_CASE(
    "P41 bothyd may have as many files open as its host lets it, however few it begins with") {
  constexpr rlim_t FEW = 256;
  struct rlimit before;
  KJ_SYSCALL(getrlimit(RLIMIT_NOFILE, &before));
  auto few = before;
  few.rlim_cur = FEW;
  KJ_SYSCALL(setrlimit(RLIMIT_NOFILE, &few));
  KJ_DEFER(KJ_SYSCALL(setrlimit(RLIMIT_NOFILE, &before)) { break; });
  SupervisedHost host;
  host.wait(host.supervisor().versionRequest().send().ignoreResult(), "bothyd");
  struct rlimit files;
  KJ_SYSCALL(prlimit(host.pid(), RLIMIT_NOFILE, nullptr, &files));
  // More than any host needs, which it takes no more of.
  constexpr rlim_t MOST = 1 << 20;
  CHECK(files.rlim_max == before.rlim_max);
  CHECK(files.rlim_cur == kj::min(before.rlim_max, MOST));
}

TEST_CASE("P28 a bothyd that is told to end ends, though the disk of consoles hangs") {
  KJ_SYSCALL(setenv("BOTHY_CONSOLES", "hang", true));
  KJ_DEFER(unsetenv("BOTHY_CONSOLES"));
  auto log = logOfEnd("hangs");
  INFO(log.cStr());
  CHECK(strstr(log.cStr(), "the end of consoles is not recorded") != nullptr);
}

}  // namespace
}  // namespace bothy
