// What becomes of lanes when one of those who have to do with them is killed.

#include <kj/debug.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <catch2/catch_test_macros.hpp>

#include "support/background-client.h"
#include "support/host-program.h"
#include "support/test-workspace.h"
#include "support/unnoticed-restart.h"

namespace bothy {
namespace {

TEST_CASE("P41 kill -9 of bothyd under a copy and ten terminals costs no lane and no byte") {
  const bool full = getenv("BOTHY_FULL") != nullptr;
  constexpr int TERMINALS = 10;
  // More than a client reads or writes before it copies, and much less than there is to copy.
  constexpr uint64_t BEGUN_BYTES = 8 * 1024 * 1024;
  SupervisedHost host;
  TestWorkspace workspace(host, {.memoryMib = 512, .diskMib = full ? 3072u : 512u});
  // Pauses without a process each.
  workspace.shell("mkfifo pause");
  kj::Vector<kj::Own<BackgroundClient>> terminals;
  for (int i = 0; i < TERMINALS; i++) {
    terminals.add(kj::heap<BackgroundClient>(
        host,
        kj::ArrayPtr<const kj::StringPtr>(
            {"shell"_kj, "test"_kj, "--"_kj, "bash"_kj, "-c"_kj,
             "exec 3<>~/pause; until test -e ~/stop; do echo $((++i)); read -t 0.1 -u 3; done; exit 7"_kj})));
  }
  workspace.shell("until test $(pgrep -c -f '^bash -c exec 3') = 10; do sleep 0.1; done");

  // There and back again.
  auto from = kj::str(host.directory(), "/from"), to = kj::str(host.directory(), "/to");
  hostOutput(
      {"/bin/sh"_kj, "-c"_kj, kj::str("head -c ", full ? "1G" : "64M", " /dev/urandom > ", from)});
  auto copyUnderKill = [&](kj::StringPtr source, kj::StringPtr target) {
    BackgroundClient copy(host, {"cp"_kj, source, target});
    copy.awaitTransfer(BEGUN_BYTES);
    // It stands still while bothyd is killed, so that it is not over before that, and goes on without one.
    copy.stop();
    restartUnnoticed(workspace, SIGKILL, 1 + TERMINALS + 1, [&]() {
      copy.resume();
      copy.awaitTransfer(2 * BEGUN_BYTES);
    });
    auto finished = copy.finish();
    INFO(finished.err.cStr());
    CHECK(finished.status == 0);
    // A client that connects again says so.
    CHECK(strstr(finished.err.cStr(), "bothy:") == nullptr);
  };
  copyUnderKill(from, "test:copy");
  copyUnderKill("test:copy", to);
  CHECK(runProgram({"/usr/bin/cmp"_kj, from, to}).status == 0);

  workspace.shell("touch stop");
  for (auto& terminal : terminals) {
    auto finished = terminal->finish();
    INFO(finished.err.cStr());
    CHECK(finished.status == 7);
    CHECK(strstr(finished.err.cStr(), "bothy:") == nullptr);
    // 1, 2, 3, ... to the end.
    kj::Vector<char> expected;
    for (uint i = 1; expected.size() < finished.out.size(); i++) {
      expected.addAll(kj::str(i, "\r\n"));
    }
    CHECK(expected.size() > 50);
    CHECK(expected.asPtr() == finished.out.asArray());
  }
}

}  // namespace
}  // namespace bothy
