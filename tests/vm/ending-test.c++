// How a bothyd ends that is told to.  None of these needs a machine.

#include <signal.h>
#include <stdlib.h>
#include <string.h>

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

TEST_CASE("P28 a bothyd that is told to end ends, though a dial is not answered") {
  auto log = logOfEnd("hangs");
  INFO(log.cStr());
  CHECK(strstr(log.cStr(), "a dial is under way") != nullptr);
}

}  // namespace
}  // namespace bothy
