#include "workspace/machine.h"

#include <kj/debug.h>

#include <catch2/catch_test_macros.hpp>

#include "workspace/test-world.h"

namespace bothy {
namespace {

struct World: public TestWorld {
  World() { manager->create(request("demo"), nullptr).wait(scope); }
  kj::Own<Machine> machine() { return KJ_ASSERT_NONNULL(find("demo")->machine()); }
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
