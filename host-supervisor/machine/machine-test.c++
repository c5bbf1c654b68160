#include "machine/machine.h"

#include <string.h>

#include <kj/debug.h>

#include <catch2/catch_test_macros.hpp>

#include "machine/test-machines.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

// A machine whose agent has answered.
struct World: public TestMachines {
  kj::Own<Machine> demo;

  World() {
    VmSpec spec{};
    spec.name = kj::str("demo");
    auto secret = kj::heapArray<kj::byte>(rpc::SECRET_BYTES);
    memset(secret.begin(), 7, secret.size());
    spec.secret = kj::heapArray<kj::byte>(secret);
    auto vm = driver.start(kj::mv(spec)).wait(scope);
    demo = kj::refcounted<Machine>(timer, "demo", kj::mv(vm), kj::mv(secret), 1);
    demo->ready().wait(scope);
  }
  kj::Own<Machine> machine() { return kj::addRef(*demo); }
};

TEST_CASE("S01 an agent that leaves ends of lanes unanswered has its control lane dropped, once") {
  World w;
  auto machine = w.machine();
  w.answersEndLanes = false;
  constexpr uint64_t LANES = 20;
  for (uint64_t lane = 1; lane <= LANES; lane++) {
    // Who asks waits no longer than it likes.
    auto asked = machine->endLane(lane);
    CHECK_FALSE(asked.poll(w.scope));
  }
  CHECK(w.endedLanes.size() == LANES);
  w.advance(END_ANSWER_LIMIT - 1 * kj::MILLISECONDS);
  w.settle();
  CHECK(machine->isLinked());
  w.advance(1 * kj::MILLISECONDS);
  w.settle();
  CHECK_FALSE(machine->isLinked());

  machine->control().wait(w.scope).pingRequest().send().wait(w.scope);
  CHECK(machine->isLinked());
  w.advance(2 * END_ANSWER_LIMIT);
  w.settle();
  CHECK(machine->isLinked());
}

TEST_CASE("P09 P41 a control lane that is lost is opened again, with growing pauses") {
  World w;
  auto machine = w.machine();
  auto lose = [&]() {
    w.settle();
    w.served.clear();
    w.settle();
    REQUIRE_FALSE(machine->isLinked());
  };
  auto pass = [&](kj::Duration time) {
    w.advance(time);
    w.settle();
  };
  lose();
  pass(LEAST_REOPEN_PAUSE - 1 * kj::MILLISECONDS);
  CHECK_FALSE(machine->isLinked());
  pass(1 * kj::MILLISECONDS);
  CHECK(machine->isLinked());

  lose();
  w.agentAnswers = false;
  pass(2 * LEAST_REOPEN_PAUSE);
  CHECK_FALSE(machine->isLinked());
  w.agentAnswers = true;
  pass(4 * LEAST_REOPEN_PAUSE - 1 * kj::MILLISECONDS);
  CHECK_FALSE(machine->isLinked());
  pass(1 * kj::MILLISECONDS);
  CHECK(machine->isLinked());

  // Never seldom; and at once again after one that stood for long.
  for (int i = 0; i < 10; i++) {
    lose();
    pass(MOST_REOPEN_PAUSE);
    CHECK(machine->isLinked());
  }
  pass(2 * MOST_REOPEN_PAUSE);
  lose();
  pass(LEAST_REOPEN_PAUSE);
  CHECK(machine->isLinked());
}

TEST_CASE("P09 while a machine stands still the pause before its control lane is reopened stays") {
  World w;
  auto machine = w.machine();
  w.advance(1 * kj::SECONDS);
  w.settle();
  auto vm = kj::mv(w.driver.running()[0]);
  w.driver.stall(vm);
  w.served.clear();
  w.settle();
  for (int i = 0; i < 100; i++) {
    w.advance(LEAST_REOPEN_PAUSE);
    w.settle();
  }
  w.driver.goOn(vm);
  w.advance(LEAST_REOPEN_PAUSE);
  w.settle();
  CHECK(machine->isLinked());
}

TEST_CASE("P09 a machine that stands still or is retired is not dialled for its control lane") {
  World w;
  auto machine = w.machine();
  // A spare lane is dialled.
  w.advance(1 * kj::SECONDS);
  w.settle();
  auto vm = kj::mv(w.driver.running()[0]);
  bool isRetired = false;
  SECTION("it stands still") {
    w.driver.stall(vm);
  }
  SECTION("it is retired") {
    isRetired = true;
    machine->retire();
  }
  w.served.clear();
  w.settle();
  for (int i = 0; i < 10; i++) {
    w.advance(MOST_REOPEN_PAUSE);
    w.settle();
  }
  CHECK(w.served.empty());
  CHECK_FALSE(machine->isLinked());
  if (isRetired) return;
  w.driver.goOn(vm);
  w.advance(MOST_REOPEN_PAUSE);
  w.settle();
  CHECK(machine->isLinked());
}

TEST_CASE("an agent that answers late keeps its control lane") {
  World w;
  auto machine = w.machine();
  w.answersEndLanes = false;
  auto asked = machine->endLane(1);
  CHECK_FALSE(asked.poll(w.scope));
  w.advance(END_ANSWER_LIMIT - 1 * kj::SECONDS);
  w.settle();
  for (auto& end : w.unansweredEnds) end->fulfill();
  asked.wait(w.scope);
  w.advance(2 * END_ANSWER_LIMIT);
  w.settle();
  CHECK(machine->isLinked());
}

}  // namespace
}  // namespace bothy
