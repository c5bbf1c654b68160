// What becomes of a workspace that nobody uses, by a policy of seconds.

#include <kj/debug.h>
#include <signal.h>
#include <string.h>
#include <catch2/catch_test_macros.hpp>

#include "support/event-record.h"
#include "support/host-program.h"
#include "support/test-workspace.h"

namespace bothy {
namespace {

constexpr kj::StringPtr SETTINGS = "idle = pause-after=8s warn-before=4s session-grace=2s\n"_kj;
// So much longer than its policy says a workspace may run here that nobody uses: the host may be busy.
constexpr kj::Duration PATIENCE = 60 * kj::SECONDS;

// A running workspace to which nobody is connected, unless a test is.
struct IdleWorkspace {
  SupervisedHost host{{.settings = SETTINGS}};
  EventRecord events{host};
  kj::Maybe<TestWorkspace> workspace;

  IdleWorkspace() { workspace.emplace(host); }

  TestWorkspace& connected() { return KJ_ASSERT_NONNULL(workspace); }
  void leave() { workspace = nullptr; }
  FinishedProgram bothy(std::initializer_list<kj::StringPtr> words) {
    auto socket = host.socket();
    kj::Vector<kj::StringPtr> argv;
    argv.add(BOTHY_PROGRAM ""_kj);
    argv.add("--socket"_kj);
    argv.add(socket);
    for (auto word : words) argv.add(word);
    return runProgram(argv);
  }
  bool runs() { return host.stateOf("test") == rpc::WorkspaceState::RUNNING; }
  // Returns when it can be asked.
  void restart() {
    host.restart(SIGKILL);
    REQUIRE(host.stateOf("test") != nullptr);
  }
  void pass(kj::Duration time) { host.timer.afterDelay(time).wait(host.scope); }
  // Whether it still runs when so long has passed.
  bool runsFor(kj::Duration time) {
    const auto end = host.now() + time;
    while (host.now() < end) {
      if (!runs()) return false;
      pass(500 * kj::MILLISECONDS);
    }
    return true;
  }
  void waitForPause() { waitFor(rpc::WorkspaceState::PAUSED); }
  void waitFor(rpc::WorkspaceState state) {
    const auto end = host.now() + PATIENCE;
    while (host.stateOf("test") != state) {
      REQUIRE(host.now() < end);
      pass(200 * kj::MILLISECONDS);
    }
  }
  // As a person does it: by a new command.
  kj::String wakeByCommand() {
    auto answer = bothy({"exec", "test", "cat", "/proc/sys/kernel/random/boot_id"});
    INFO(answer.err.cStr());
    REQUIRE(answer.status == 0);
    return kj::mv(answer.out);
  }
  static void requireTold(const FinishedProgram& answer, const char* part) {
    INFO(answer.out.cStr() << answer.err.cStr());
    REQUIRE(answer.status == 0);
    CHECK(strstr(answer.out.cStr(), part) != nullptr);
  }
};

TEST_CASE(
    "P26 P58 a workspace that nobody uses is warned of and paused, says why, and wakes as it was") {
  IdleWorkspace w;
  const auto boot = kj::str(w.connected().shell("cat /proc/sys/kernel/random/boot_id"), "\n");
  // Much longer than the policy: somebody is connected.
  CHECK(w.runsFor(15 * kj::SECONDS));
  w.requireTold(w.bothy({"why", "test"}), "test is in use");
  w.requireTold(w.bothy({"why", "test"}), "connected");
  w.requireTold(w.bothy({"why", "--json", "test"}), "\"kind\":\"session\"");
  w.leave();
  w.waitForPause();
  w.events.waitFor(rpc::Cause::IDLE);
  bool isWarned = false, isPaused = false;
  for (auto event : w.events.ofHost()) {
    if (event.getCause() == rpc::Cause::IDLE_WARNING) {
      CHECK_FALSE(isPaused);
      isWarned = true;
    }
    if (event.getCause() == rpc::Cause::IDLE && event.getAfter() == rpc::WorkspaceState::PAUSING) {
      isPaused = true;
      CHECK(event.getDetail() == "nothing has kept it awake for 8 s (pause-after)");
    }
  }
  CHECK(isWarned);
  CHECK(isPaused);
  w.requireTold(w.bothy({"why", "test"}), "test was paused at");
  // Also to a bothyd that is started anew.
  w.restart();
  w.requireTold(w.bothy({"why", "test"}), "test was paused at");
  CHECK(w.wakeByCommand() == boot);
  CHECK(w.runs());
  w.waitForPause();
  CHECK(w.wakeByCommand() == boot);
}

TEST_CASE(
    "P26 P27 P58 a workspace that stays paused is hibernated, then it expires, and it wakes from "
    "each") {
  IdleWorkspace w;
  const auto boot = kj::str(w.connected().shell("cat /proc/sys/kernel/random/boot_id"), "\n");
  w.connected().shell("echo mine > /var/tmp/mine; sync");
  w.requireTold(w.bothy({"idle", "--set", "hibernate-after=4s", "test"}), "4s     its own");
  w.leave();
  w.waitFor(rpc::WorkspaceState::HIBERNATED);
  w.requireTold(w.bothy({"why", "test"}), "test was hibernated at");
  w.requireTold(w.bothy({"why", "test"}), "unless it is used, it expires, with its disk, at");
  w.restart();
  w.requireTold(w.bothy({"why", "test"}), "test was hibernated at");
  CHECK(w.wakeByCommand() == boot);
  EventRecord later{w.host};
  w.requireTold(w.bothy({"idle", "--set", "expire-after=8s", "test"}), "8s     its own");
  w.waitFor(rpc::WorkspaceState::EXPIRED);
  later.waitFor(rpc::Cause::IDLE_WARNING);
  w.requireTold(w.bothy({"why", "test"}), "test expired at");
  bool isWarned = false, isExpired = false;
  for (auto event : later.ofHost()) {
    if (event.getAfter() == rpc::WorkspaceState::HIBERNATED &&
        event.getCause() == rpc::Cause::IDLE_WARNING) {
      isWarned = true;
    }
    if (event.getAfter() == rpc::WorkspaceState::EXPIRING) {
      isExpired = true;
      CHECK(isWarned);
      CHECK(event.getCause() == rpc::Cause::IDLE);
      CHECK(event.getDetail() == "it has been hibernated for 8 s (expire-after)");
      CHECK(event.getActor() == "rule expire-after");
    }
  }
  CHECK(isExpired);
  // It is made anew.
  CHECK(w.wakeByCommand() != boot);
  CHECK(w.bothy({"exec", "test", "cat", "/var/tmp/mine"}).status != 0);
}

TEST_CASE(
    "P26 a wake lock keeps a workspace awake that nobody uses, over a restart of bothyd too") {
  IdleWorkspace w;
  auto taken = w.bothy({"wake", "test", "--for", "1h", "--reason", "nightly build", "--json"});
  w.requireTold(taken, "\"detail\":\"nightly build\"");
  w.leave();
  CHECK(w.runsFor(15 * kj::SECONDS));
  w.restart();
  CHECK(w.runsFor(15 * kj::SECONDS));
  w.requireTold(w.bothy({"why", "test"}), "wake lock");
  auto id = strstr(taken.out.cStr(), "\"id\":\"");
  REQUIRE(id != nullptr);
  auto lock = kj::heapString(id + 6, 32);
  auto released = w.bothy({"wake", "test", "--release", lock});
  INFO(released.err.cStr());
  CHECK(released.status == 0);
  w.waitForPause();
  // One that is paused is not woken by a lock.
  CHECK(w.bothy({"wake", "test", "--for", "1h"}).status == 0);
  CHECK(w.host.stateOf("test") == rpc::WorkspaceState::PAUSED);
}

TEST_CASE(
    "P14 P26 P58 a program within a workspace keeps it awake as long as it runs, or a lock holds") {
  IdleWorkspace w;
  auto& shell = w.connected();
  CHECK(shell.shell("bothy-wake --list 2>&1") == "no program keeps this machine awake");
  CHECK(shell.shell("bothy-wake 1h sh -c 'exit 7'; echo $?") == "7");
  CHECK(shell.shell("bothy-wake 1h no-such-command 2>/dev/null; echo $?") == "127");
  CHECK(shell.shell("bothy-wake soon true 2>&1; echo $?") ==
        "bothy-wake: TIME is to be like 90, 30m or 2h, not soon (bothy-wake --help)\n125");
  // Nobody is connected: programs of `exec` count too, so it is one that they have left.
  shell.shell(
      "setsid bothy-wake --label 'nightly build' 1h sleep 30 >/dev/null 2>&1 </dev/null & sleep 1");
  CHECK(shell.shell("bothy-wake --list | grep -c 'its command ends  *nightly build'") == "1");
  w.leave();
  CHECK(w.runsFor(15 * kj::SECONDS));
  w.requireTold(w.bothy({"why", "test"}), "wake lock within");
  w.requireTold(w.bothy({"why", "test"}), "nightly build");
  // With the command the lock is over, long before its time.
  w.waitForPause();
  // One that is kept goes on where it was after a pause.
  const auto boot = w.wakeByCommand();
  w.requireTold(w.bothy({"exec", "test", "bothy-wake", "40s"}), "");
  CHECK(w.bothy({"pause", "test"}).status == 0);
  w.pass(45 * kj::SECONDS);
  CHECK(w.wakeByCommand() == boot);
  CHECK(w.runsFor(15 * kj::SECONDS));
  w.waitForPause();
}

TEST_CASE("P26 connections that outlive bothyd keep their workspace awake") {
  IdleWorkspace w;
  w.connected().shell("echo there");
  w.restart();
  CHECK(w.runsFor(20 * kj::SECONDS));
  w.requireTold(w.bothy({"why", "test"}), "connected before");
  CHECK(w.connected().shell("echo there") == "there");
  w.leave();
  w.waitForPause();
}

TEST_CASE("P26 a workspace has figures of its own in the place of those of its host") {
  IdleWorkspace w;
  w.requireTold(w.bothy({"idle", "test"}), "pause-after       8s     its tier's");
  w.requireTold(w.bothy({"idle", "--set", "pause-after=never", "test"}), "never");
  w.leave();
  CHECK(w.runsFor(15 * kj::SECONDS));
  w.requireTold(w.bothy({"why", "test"}), "test is never paused by a rule");
  w.requireTold(w.bothy({"idle", "--set", "pause-after=tier", "test"}), "8s     its tier's");
  w.waitForPause();
}

}  // namespace
}  // namespace bothy
