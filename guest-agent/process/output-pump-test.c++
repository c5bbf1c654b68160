#include "process/output-pump.h"

#include <fcntl.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "process/test-world.h"

namespace bothy {
namespace {

// A pipe as a program has it, whose sink takes nothing and ends nothing until it is let.
struct AtPipe {
  AtPipe() {
    int ends[2];
    KJ_SYSCALL(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
    programs = kj::AutoCloseFd(ends[1]);
    collected.gate = writing.promise.fork();
    collected.endGate = ending.promise.fork();
    pump = kj::heap<OutputPump>(io.unixEventPort, timer, leftPipes, kj::AutoCloseFd(ends[0]),
                                collectInto(collected), OutputPump::Keeping::TAIL);
  }

  kj::AsyncIoContext io = setupTestIo();
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  LeftPipes leftPipes{io.unixEventPort, timer};
  kj::PromiseFulfillerPair<void> writing = kj::newPromiseAndFulfiller<void>();
  kj::PromiseFulfillerPair<void> ending = kj::newPromiseAndFulfiller<void>();
  Collected collected;
  kj::AutoCloseFd programs;
  kj::Own<OutputPump> pump;

  void write(kj::StringPtr text) {
    KJ_ASSERT(::write(programs.get(), text.begin(), text.size()) == text.size());
    io.waitScope.poll();
  }
  void pass(kj::Duration time) {
    io.waitScope.poll();
    timer.advanceTo(timer.now() + time);
    io.waitScope.poll();
  }
  bool isEndCalled() {
    const bool isCalled = pump->onEndCalled().poll(io.waitScope);
    // The call is on its way to the sink.
    io.waitScope.poll();
    return isCalled;
  }
  bool isDone() { return pump->onDone().poll(io.waitScope); }
};

TEST_CASE("P04 the end of an output is called behind its last byte, and done when it is answered") {
  AtPipe at;
  at.write("taken");
  at.write(", left");
  at.programs = nullptr;
  at.pump->finish();
  CHECK(at.collected.text() == "taken");
  CHECK_FALSE(at.isEndCalled());
  at.writing.fulfiller->fulfill();
  CHECK(at.isEndCalled());
  CHECK(at.collected.text() == "taken, left");
  CHECK(at.collected.ends == 1);
  CHECK_FALSE(at.isDone());
  at.ending.fulfiller->fulfill();
  CHECK(at.isDone());
}

TEST_CASE(
    "P04 the end of an output leaves with that of its program, but does not wait long for it") {
  const bool endsSoon = GENERATE(true, false);
  AtPipe at;
  at.programs = nullptr;
  at.io.waitScope.poll();
  CHECK_FALSE(at.isEndCalled());
  if (endsSoon) {
    at.pump->finish();
  } else {
    at.timer.advanceTo(at.timer.now() + 10 * kj::MILLISECONDS);
  }
  CHECK(at.isEndCalled());
  CHECK(at.collected.ends == 1);
}

TEST_CASE("P11 what a program leaves behind is heard until it is quiet, and lives on unheard") {
  AtPipe at;
  at.writing.fulfiller->fulfill();
  at.write("program, ");
  at.pump->finish();
  at.pass(90 * kj::MILLISECONDS);
  at.write("soon, ");
  at.pass(90 * kj::MILLISECONDS);
  at.write("later");
  CHECK_FALSE(at.isEndCalled());
  at.pass(OutputPump::QUIET_TIME);
  CHECK(at.isEndCalled());
  CHECK(at.collected.text() == "program, soon, later");
  at.ending.fulfiller->fulfill();
  CHECK(at.isDone());

  CHECK(at.leftPipes.size() == 1);
  at.write("too late");
  CHECK(at.collected.text() == "program, soon, later");
  at.programs = nullptr;
  at.pass(LeftPipes::TURN_PAUSE);
  CHECK(at.leftPipes.size() == 0);
}

TEST_CASE("P11 what a program leaves behind does not hold up its end, however much it writes") {
  AtPipe at;
  at.writing.fulfiller->fulfill();
  at.pump->finish();
  constexpr auto STEP = 10 * kj::MILLISECONDS;
  for (auto time = 0 * kj::MILLISECONDS; time < OutputPump::LINGER_TIME; time += STEP) {
    CHECK_FALSE(at.isEndCalled());
    at.write("x");
    at.pass(STEP);
  }
  CHECK(at.isEndCalled());
}

TEST_CASE("P41 for each sink that follows another the end of an output is ahead again") {
  AtPipe at;
  at.write("once");
  at.programs = nullptr;
  at.pump->finish();
  at.writing.fulfiller->fulfill();
  at.ending.fulfiller->fulfill();
  CHECK(at.isDone());

  Collected later;
  auto gate = kj::newPromiseAndFulfiller<void>();
  later.gate = gate.promise.fork();
  at.pump->redirect(collectInto(later), 0);
  CHECK_FALSE(at.isEndCalled());
  CHECK_FALSE(at.isDone());
  gate.fulfiller->fulfill();
  CHECK(at.isEndCalled());
  CHECK(at.isDone());
  CHECK(later.text() == "once");
}

}  // namespace
}  // namespace bothy
