// bothyd is killed at each step of each operation; what is on the host then is what its database says.

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include <fstream>
#include <iostream>
#include <string>

#include "crash/host-inventory.h"
#include "support/session-client.h"

namespace bothy {
namespace {

constexpr uint32_t DISK_MIB = 256;
constexpr uint32_t LARGER_DISK_MIB = 512;
// More steps than any operation has: a fault of this test if it is reached.
constexpr uint32_t MOST_STEPS = 200;
constexpr kj::Duration RELEASE_LIMIT = 10 * kj::SECONDS;
// Of all steps of an operation: a kill falls into another moment of a step that takes time.
constexpr uint32_t FULL_ROUNDS = 3;

// A host whose bothyd dies where it is told to.
class CrashHost final {
public:
  CrashHost() : host({.program = BOTHYD_CRASHING}) {}

private:
  // Before the host: its bothyd inherits it.
  struct Environment {
    Environment() {
      file = kj::str("/tmp/bothy-crash-", getpid());
      KJ_SYSCALL(setenv("BOTHY_CRASH_FILE", file.cStr(), true));
    }
    ~Environment() { forget(); }
    void forget() {
      unlink(file.cStr());
      unlink(kj::str(file, ".step").cStr());
    }
    kj::String file;
  };
  Environment environment;

public:
  SupervisedHost host;

  // Runs `operation` with a kill at its step `number`, of those of which `only` is said if that is not empty: the step's name, or
  // nothing if it has no such step.
  template <typename Operation>
  kj::Maybe<kj::String> killWithin(Operation&& operation, uint32_t number, kj::StringPtr only) {
    environment.forget();
    std::ofstream(environment.file.cStr()) << number << " " << only.cStr();
    auto broke = kj::runCatchingExceptions([&]() { operation(host); });
    std::ifstream step(kj::str(environment.file, ".step").cStr());
    std::string name;
    if (!std::getline(step, name)) {
      KJ_IF_MAYBE (e, broke) kj::throwFatalException(kj::mv(*e));
      host.restart(SIGTERM);  // it still counts
      return nullptr;
    }
    // Where the operation waited for a bothyd that begins, it has seen the end already.
    kj::runCatchingExceptions([&]() { host.awaitEnd(); });
    host.start();
    return kj::str(name.c_str());
  }
};

void create(SupervisedHost& host, bool thenStart) {
  auto request = host.supervisor().createRequest();
  request.initSpec().setName("demo");
  request.getSpec().setDiskMib(DISK_MIB);
  request.setStart(thenStart);
  auto response =
      host.wait(request.send().dropPipeline(), "the creation", SupervisedHost::BOOT_LIMIT);
  KJ_REQUIRE(response.getOutcome().isCreated(), response.getOutcome());
}

void start(SupervisedHost& host) {
  host.startWorkspace("demo");
}

void stop(SupervisedHost& host) {
  host.stopWorkspace("demo", 2000);
}

void erase(SupervisedHost& host) {
  host.deleteWorkspace("demo");
}

void resize(SupervisedHost& host) {
  auto request = host.supervisor().resizeRequest();
  request.setName("demo");
  request.setDiskMib(LARGER_DISK_MIB);
  auto response = host.wait(request.send().dropPipeline(), "the resize");
  KJ_REQUIRE(response.getOutcome().isResized(), response.getOutcome());
}

void pause(SupervisedHost& host) {
  auto request = host.supervisor().pauseRequest();
  request.setName("demo");
  auto response = host.wait(request.send().dropPipeline(), "the pause");
  KJ_REQUIRE(response.getOutcome().isPaused(), response.getOutcome());
}

void resume(SupervisedHost& host) {
  auto request = host.supervisor().resumeRequest();
  request.setName("demo");
  auto response = host.wait(request.send().dropPipeline(), "the resume");
  KJ_REQUIRE(response.getOutcome().isResumed(), response.getOutcome());
}

void expire(SupervisedHost& host) {
  auto request = host.supervisor().expireRequest();
  request.setName("demo");
  auto response = host.wait(request.send().dropPipeline(), "the expiry");
  KJ_REQUIRE(response.getOutcome().isExpired(), response.getOutcome());
}

void hibernate(SupervisedHost& host) {
  auto request = host.supervisor().hibernateRequest();
  request.setName("demo");
  auto response = host.wait(request.send().dropPipeline(), "the hibernation");
  KJ_REQUIRE(response.getOutcome().isHibernated(), response.getOutcome());
}

// To one with a larger disk.
void changeTier(SupervisedHost& host) {
  auto request = host.supervisor().changeTierRequest();
  request.setName("demo");
  request.setTier("free");
  request.setApply(true);
  auto response = host.wait(request.send().dropPipeline(), "the change of the tier");
  KJ_REQUIRE(response.getOutcome().isChanged(), response.getOutcome());
}

// Which steps of an operation bothyd is killed at.
struct Steps {
  uint32_t least;           // so many there are
  kj::StringPtr only = "";  // of which that is said
  kj::StringPtr last = "";  // up to that one
};

bool isFull() {
  return getenv("BOTHY_FULL") != nullptr;
}

// Kills bothyd at each of the steps of `operation`, each time begun where `prepare` ends.
template <typename Prepare, typename Operation>
void killInRound(CrashHost& crash, Prepare&& prepare, Operation&& operation, Steps steps) {
  auto& host = crash.host;
  HostInventory inventory(host);
  for (uint32_t number = 1;; number++) {
    REQUIRE(number < MOST_STEPS);
    prepare(host);
    auto killed = crash.killWithin(operation, number, steps.only);
    KJ_IF_MAYBE (step, killed) {
      INFO("killed at step " << number << ": " << step->cStr());
      settle(host);
      // What was accepted goes on: nothing has failed but bothyd.
      CHECK(host.stateOf("demo") != rpc::WorkspaceState::FAILED);
      auto found = inventory.found(), expected = inventory.expected(found);
      // A lease may be released, with its disk, a moment after its machine's end is told.
      auto deadline = host.timer.now() + RELEASE_LIMIT;
      while (found != expected && host.timer.now() < deadline) {
        host.timer.afterDelay(50 * kj::MILLISECONDS).wait(host.scope);
        found = inventory.found();
        expected = inventory.expected(found);
      }
      CHECK(std::string(found.cStr()) == expected.cStr());
      if (*step != steps.last) continue;
    } else {
      CHECK(steps.last == "");
    }
    CHECK(number > steps.least);
    return;
  }
}

template <typename Prepare, typename Operation>
void killAtEachStep(Prepare&& prepare, Operation&& operation, Steps steps) {
  CrashHost crash;
  const uint32_t rounds = isFull() ? FULL_ROUNDS : 1;
  for (uint32_t i = 0; i < rounds; i++) killInRound(crash, prepare, operation, steps);
}

void absent(SupervisedHost& host) {
  if (host.stateOf("demo") != nullptr) erase(host);
}
void stopped(SupervisedHost& host) {
  KJ_IF_MAYBE (state, host.stateOf("demo")) {
    if (*state == rpc::WorkspaceState::RUNNING) stop(host);
  } else {
    create(host, false);
  }
}
void running(SupervisedHost& host) {
  // A machine that outlived a kill is the better one to be killed at again.
  if (host.stateOf("demo") == rpc::WorkspaceState::RUNNING) return;
  if (host.stateOf("demo") == rpc::WorkspaceState::PAUSED ||
      host.stateOf("demo") == rpc::WorkspaceState::HIBERNATED) {
    resume(host);
    return;
  }
  stopped(host);
  start(host);
}
void paused(SupervisedHost& host) {
  if (host.stateOf("demo") == rpc::WorkspaceState::PAUSED) return;
  running(host);
  pause(host);
}
void hibernated(SupervisedHost& host) {
  if (host.stateOf("demo") == rpc::WorkspaceState::HIBERNATED) return;
  running(host);
  hibernate(host);
}
void small(SupervisedHost& host) {
  absent(host);
  create(host, false);
}

TEST_CASE("P28 R20 bothyd killed at any step of a creation leaves what its database says") {
  killAtEachStep(absent, [](SupervisedHost& host) { create(host, false); }, {.least = 8});
}

TEST_CASE("P28 R20 bothyd killed at any step of a start leaves what its database says") {
  killAtEachStep(stopped, start, {.least = 8});
}

TEST_CASE("P28 R20 a creation goes on to its start where bothyd was killed at its steps") {
  auto createAndStart = [](SupervisedHost& host) { create(host, true); };
  // What else there is about each step, a creation that does not start and a start by itself have too, and each boot takes seconds.
  if (isFull()) {
    killAtEachStep(absent, createAndStart, {.least = 16});
  } else {
    killAtEachStep(absent, createAndStart,
                   {.least = 3, .only = "is under way", .last = "lease of a machine is under way"});
  }
}

TEST_CASE(
    "P41 bothyd killed at any step of a takeover leaves a machine that the next one takes over") {
  bool isFirst = true;
  auto ended = [&](SupervisedHost& host) {
    if (isFirst) running(host);
    isFirst = false;
    REQUIRE(host.stateOf("demo") == rpc::WorkspaceState::RUNNING);
    host.stop(SIGTERM);
  };
  auto begin = [](SupervisedHost& host) {
    host.start();
    KJ_REQUIRE(host.stateOf("demo") == rpc::WorkspaceState::RUNNING);
  };
  killAtEachStep(ended, begin, {.least = 2});
}

TEST_CASE("P28 R20 bothyd killed at any step of a stop leaves what its database says") {
  killAtEachStep(running, stop, {.least = 2});
}

TEST_CASE("P41 P58 bothyd killed at any step of a pause leaves what its database says") {
  killAtEachStep(running, pause, {.least = 4});
}

TEST_CASE("P41 P58 bothyd killed at any step of a resume leaves what its database says") {
  killAtEachStep(paused, resume, {.least = 4});
}

TEST_CASE("P41 S43 bothyd killed at any step of a hibernation leaves what its database says") {
  killAtEachStep(running, hibernate, {.least = 8});
}

TEST_CASE("P41 S43 bothyd killed at any step of a wake leaves what its database says") {
  killAtEachStep(hibernated, resume, {.least = 8});
}

TEST_CASE("P28 R20 bothyd killed at any step of a resize leaves what its database says") {
  killAtEachStep(small, resize, {.least = 5});
}

TEST_CASE(
    "P28 P53 R20 bothyd killed at any step of a change of tier leaves what its database says") {
  killAtEachStep(small, changeTier, {.least = 1});
}

TEST_CASE(
    "P28 P53 R20 a start makes a disk as large as its tier where bothyd was killed while it did") {
  auto promised = [](SupervisedHost& host) {
    small(host);
    changeTier(host);
  };
  auto startLarger = [](SupervisedHost& host) {
    start(host);
    auto request = host.supervisor().getRequest();
    request.setName("demo");
    auto response = host.wait(request.send().dropPipeline(), "the size");
    auto info = response.getOutcome().getFound();
    KJ_REQUIRE(info.getSpec().getDiskMib() == 2048 && !info.hasAtNextStart(), info);
  };
  killAtEachStep(promised, startLarger,
                 {.least = 1, .only = "is under way", .last = "growth of a volume is under way"});
}

TEST_CASE("P28 P58 R20 bothyd killed at any step of an expiry leaves what its database says") {
  killAtEachStep(small, expire, {.least = 6});
}

TEST_CASE("P28 S43 R20 bothyd killed while a hibernated workspace expires leaves no memory of it") {
  // What else there is about each step, an expiry of what is stopped has too.
  if (isFull()) {
    killAtEachStep(hibernated, expire, {.least = 6});
  } else {
    killAtEachStep(
        hibernated, expire,
        {.least = 1, .only = "is under way", .last = "destruction of a volume is under way"});
  }
}

TEST_CASE("P28 P58 R20 what has expired is made anew where bothyd was killed while it was") {
  auto expired = [](SupervisedHost& host) {
    if (host.stateOf("demo") == rpc::WorkspaceState::RUNNING) stop(host);
    if (host.stateOf("demo") == nullptr) create(host, false);
    expire(host);
  };
  killAtEachStep(expired, start,
                 {.least = 3, .only = "is under way", .last = "lease of a machine is under way"});
}

TEST_CASE("P28 R20 bothyd killed at any step of a deletion leaves nothing in the end") {
  killAtEachStep(stopped, erase, {.least = 8});
}

TEST_CASE(
    "P28 R20 bothyd killed at any step of a deletion of what runs leaves nothing in the end") {
  // Without its machine a workspace is deleted as any other.
  killAtEachStep(running, erase,
                 {.least = 4, .last = isFull() ? ""_kj : "removal of a machine is done"_kj});
}

TEST_CASE("P54 R20 bothyd killed at any step of a revocation has cut its lanes when it is back") {
  constexpr kj::Duration CUT_LIMIT = 10 * kj::SECONDS;
  CrashHost crash;
  auto& host = crash.host;
  running(host);
  kj::Vector<kj::String> steps;
  for (uint32_t number = 1;; number++) {
    REQUIRE(number < MOST_STEPS);
    auto made =
        makeSession(host, "demo", [](rpc::SessionRights::Builder rights) { rights.setExec(true); });
    kj::Own<Lane> lane;
    {
      SessionClient client(host, made.token);
      lane = client.openLane([](rpc::LaneRequest::Builder wanted) { wanted.setCommands(); });
      auto revoke = [&](SupervisedHost& host) { revokeSession(host, made.id); };
      // The client is there when bothyd is killed, and so is its lane.
      auto step = crash.killWithin(revoke, number, "");
      if (step == nullptr) break;
      steps.add(kj::mv(KJ_ASSERT_NONNULL(step)));
      INFO("killed at step " << number << ": " << steps.back().cStr());
      if (steps.back() == "revocation of a session begins") {
        // Nothing was stored, nor told: it is as it was.
        CHECK_FALSE(SessionClient(host, made.token).isRefused());
        CHECK_FALSE(lane->hasEnded());
        CHECK(revokeSession(host, made.id));
      } else if (steps.back() == "revocation of a session is under way") {
        // Stored or not: who has got no answer asks again.
        revokeSession(host, made.id);
      }
      // Without a word of anybody's else.
      host.wait(lane->onDisconnect(), "the end of a lane whose session is revoked", CUT_LIMIT);
      CHECK(SessionClient(host, made.token).isRefused());
    }
  }
  REQUIRE(steps.size() >= 4);
  CHECK(steps[0] == "revocation of a session begins");
}

}  // namespace
}  // namespace bothy
