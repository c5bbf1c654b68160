#include "machine/machine.h"

#include <string.h>

#include <kj/debug.h>

#include <catch2/catch_test_macros.hpp>

#include "machine/test-machines.h"
#include "schema/limits.capnp.h"
#include "support/log-record.h"

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
  // The agent reports so many ends of lanes, the first with the number `first`.
  void reportEnds(uint64_t first, uint64_t count,
                  rpc::AgentEvent::What what = rpc::AgentEvent::What::ENDED) {
    kj::Vector<AgentEvent> ends;
    for (uint64_t number = first; number < first + count; number++) {
      ends.add(AgentEvent{number, LANE_OF_FIRST_END + number, what});
    }
    report(ends);
    settle();
  }
  static constexpr uint64_t LANE_OF_FIRST_END = 1000;
};

size_t linesWith(const LogRecord& log, kj::StringPtr text) {
  size_t count = 0;
  for (auto& line : log.lines) count += strstr(line.cStr(), text.cStr()) != nullptr;
  return count;
}

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

constexpr kj::StringPtr CLOSED = "the agent has closed a lane"_kj;
constexpr kj::StringPtr LEFT_OUT = "others that it has closed are left out"_kj;

TEST_CASE("S26 the log tells which lane of which workspace its agent has closed, and why") {
  World w;
  auto machine = w.machine();
  w.settle();
  LogRecord log;
  using What = rpc::AgentEvent::What;
  w.reportEnds(1, 1);
  w.advance(LANE_REPORT_PAUSE);
  w.settle();
  w.reportEnds(2, 1, What::ORDERED);
  w.advance(LANE_REPORT_PAUSE);
  w.settle();
  w.reportEnds(3, 1, What::EXPIRED);
  REQUIRE(linesWith(log, CLOSED) == 3);
  const kj::StringPtr expected[] = {
      "info the agent has closed a lane; workspace = demo; lane = 1001; why = by its client"_kj,
      "info the agent has closed a lane; workspace = demo; lane = 1002; why = by order"_kj,
      "info the agent has closed a lane; workspace = demo; lane = 1003; why = its lifetime was over"_kj};
  for (auto& line : expected) {
    INFO(kj::strArray(log.lines, "\n").cStr());
    CHECK(linesWith(log, line) == 1);
  }
  CHECK(linesWith(log, LEFT_OUT) == 0);
}

TEST_CASE(
    "S01 of the lanes that an agent closes in a second, the log tells so many and counts the "
    "others") {
  World w;
  auto machine = w.machine();
  w.settle();
  LogRecord log;
  constexpr uint64_t MORE = 7;
  w.reportEnds(1, MOST_CLOSE_LINES + MORE);
  CHECK(linesWith(log, CLOSED) == MOST_CLOSE_LINES);
  CHECK(linesWith(log, LEFT_OUT) == 0);
  w.advance(LANE_REPORT_PAUSE);
  w.settle();
  w.reportEnds(1 + MOST_CLOSE_LINES + MORE, 1);
  CHECK(linesWith(log, CLOSED) == MOST_CLOSE_LINES + 1);
  INFO(kj::strArray(log.lines, "\n").cStr());
  CHECK(linesWith(log, kj::str(LEFT_OUT, "; workspace = demo; *leftOut = ", MORE)) == 1);
}

TEST_CASE("P41 the log tells of ends of lanes that the agent did not keep, once in some seconds") {
  World w;
  auto machine = w.machine();
  w.settle();
  LogRecord log;
  constexpr kj::StringPtr MISSED =
      "info the agent did not keep all that it had to report until it was asked; workspace = demo; count = "_kj;
  for (uint64_t first : {1, 5, 10}) {
    w.reportEnds(first, 1);
    w.advance(LANE_REPORT_PAUSE);
    w.settle();
  }
  CHECK(linesWith(log, MISSED) == 1);
  CHECK(linesWith(log, kj::str(MISSED, 3)) == 1);
  w.advance(LOSS_LOG_PAUSE);
  w.reportEnds(16, 1);
  CHECK(linesWith(log, kj::str(MISSED, 5)) == 1);
}

TEST_CASE("P09 the log tells why a control lane was lost, once in some seconds") {
  World w;
  auto machine = w.machine();
  w.settle();
  LogRecord log;
  constexpr kj::StringPtr LOST =
      "info the control lane of a machine is lost; workspace = demo; why = "_kj;
  auto lose = [&]() {
    w.served.clear();
    w.settle();
    REQUIRE_FALSE(machine->isLinked());
  };
  lose();
  INFO(kj::strArray(log.lines, "\n").cStr());
  CHECK(linesWith(log, LOST) == 1);
  w.advance(LEAST_REOPEN_PAUSE);
  w.settle();
  REQUIRE(machine->isLinked());
  lose();
  CHECK(linesWith(log, LOST) == 1);
  w.advance(LOSS_LOG_PAUSE);
  w.settle();
  REQUIRE(machine->isLinked());
  SECTION("its connection ends") {
    lose();
    CHECK(linesWith(log, LOST) == 2);
  }
  SECTION("its agent sends what none may") {
    for (auto& agent : w.served) agent->breakRule();
    w.settle();
    CHECK_FALSE(machine->isLinked());
    REQUIRE(linesWith(log, LOST) == 2);
    auto& last = log.lines.back();
    INFO(last.cStr());
    CHECK(last.startsWith(LOST));
    CHECK(strstr(last.cStr(), "the peer may not send a message of this kind") != nullptr);
  }
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

TEST_CASE(
    "P58 a machine that is paused is reached by nobody, its lanes end, and its reports go on where "
    "they were") {
  World w;
  auto machine = w.machine();
  for (uint64_t lane : {5, 6}) w.servedLanes.add(lane);
  w.reportEnds(1, 3);
  const auto dials = w.served.size();
  auto halted = machine->onHalt();
  CHECK_FALSE(halted.poll(w.scope));

  machine->closeLanes().wait(w.scope);
  CHECK(halted.wait(w.scope) == Machine::Halt::PAUSE);
  // Of an earlier bothyd's, which nobody else can end.
  REQUIRE(w.endedLanes.size() == 2);
  CHECK((w.endedLanes[0] == 5 && w.endedLanes[1] == 6));
  CHECK_FALSE(machine->isLinked());
  CHECK(machine->isPaused());
  machine->pause().wait(w.scope);
  CHECK(w.driver.isPaused("demo"));
  auto refused = kj::runCatchingExceptions([&]() { machine->control().wait(w.scope); });
  CHECK(KJ_ASSERT_NONNULL(refused).getDescription() == "the workspace is paused");
  for (int i = 0; i < 100; i++) {
    w.advance(1 * kj::MINUTES);
    w.settle();
  }
  CHECK(w.served.size() == dials);

  machine->resume().wait(w.scope);
  CHECK_FALSE(machine->isPaused());
  const auto woken = machine->wakeGuest(kj::UNIX_EPOCH + 7 * kj::NANOSECONDS).wait(w.scope);
  CHECK(KJ_ASSERT_NONNULL(woken).behind == 0 * kj::NANOSECONDS);
  w.settle();
  CHECK(w.askedAfter.back() == 3);
}

TEST_CASE("P58 an agent that ends no lane holds up no pause, and calls that wait end with it") {
  World w;
  auto machine = w.machine();
  w.servedLanes.add(5);
  w.answersEndLanes = false;
  w.agentAnswers = false;
  // Of a machine that does not answer.
  auto opening = machine->openLane({});
  w.settle();
  auto closing = machine->closeLanes();
  w.settle();
  CHECK_FALSE(closing.poll(w.scope));
  w.advance(CLOSE_LANES_LIMIT);
  closing.wait(w.scope);
  auto failure = kj::runCatchingExceptions([&]() { opening.ignoreResult().wait(w.scope); });
  CHECK(KJ_ASSERT_NONNULL(failure).getDescription() == "the workspace is paused");
  // One that was not paused after all.
  machine->openLanes();
  w.agentAnswers = true;
  machine->control().wait(w.scope);
}

}  // namespace
}  // namespace bothy
