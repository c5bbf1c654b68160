// What a program leaves behind: how much of what that writes is delivered, and what becomes of its pipe.
#include <errno.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "process/output-pump-world.h"

namespace bothy {
namespace {

// As that of a client whose connection broke, or whose disk is full.
class FailingSink final: public rpc::ByteSink::Server {
public:
  explicit FailingSink(kj::Exception::Type type) : type(type) {}
  kj::Promise<void> write(WriteContext) override { return failure(); }
  kj::Promise<void> end(EndContext) override { return failure(); }

private:
  const kj::Exception::Type type;

  kj::Exception failure() const {
    return kj::Exception(type, __FILE__, __LINE__, kj::str("takes nothing"));
  }
};

TEST_CASE("P11 what a program leaves behind is heard until it is quiet, and lives on unheard") {
  OutputPumpWorld at;
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
  OutputPumpWorld at;
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

TEST_CASE("P16 a slow sink gets all that came in time, also if it takes the first of it late") {
  const bool goesOn = GENERATE(true, false);
  OutputPumpWorld at;
  at.pump->finish();
  at.pass(10 * kj::MILLISECONDS);
  at.write("tee 1, ");
  at.pass(10 * kj::MILLISECONDS);
  at.write("tee 2");
  if (!goesOn) at.programs = nullptr;
  at.pass(2 * OutputPump::LINGER_TIME);
  CHECK(at.collected.text() == "tee 1, ");
  at.writing.fulfiller->fulfill();
  at.pass(OutputPump::QUIET_TIME);
  CHECK(at.collected.text() == "tee 1, tee 2");
  CHECK(at.isEndCalled());
}

TEST_CASE("P16 whoever a slow sink holds up has as much time as at a quick one") {
  constexpr size_t BYTES = 1000000;
  OutputPumpWorld at;
  at.pump->finish();
  size_t written = 0;
  for (uint i = 0; i < 100 && at.collected.ends == 0; i++) {
    // As soon as there is room: also where the sink was given what was there.
    for (int times = 0; times < 2; times++) {
      written += at.fill(BYTES - written);
      at.io.waitScope.poll();
    }
    at.pass(2 * OutputPump::LINGER_TIME);
    at.takeOne();
  }
  CHECK(written == BYTES);
  CHECK(at.collected.bytes.size() == BYTES);
  CHECK(at.collected.ends == 1);
}

TEST_CASE("P11 a flood that a program leaves behind does not hold up its end at a slow sink") {
  OutputPumpWorld at;
  at.pump->finish();
  constexpr uint MOST_STEPS = 1000;
  for (uint i = 0; i < MOST_STEPS && at.collected.ends == 0; i++) {
    for (int times = 0; times < 2; times++) {
      at.fill(OutputPump::LINGER_BYTES);
      at.io.waitScope.poll();
    }
    at.pass(2 * OutputPump::LINGER_TIME);
    at.takeOne();
  }
  CHECK(at.collected.ends == 1);
  CHECK(at.collected.bytes.size() >= OutputPump::LINGER_BYTES);
  CHECK(at.collected.bytes.size() <= OutputPump::LINGER_BYTES + 1024 * 1024);
}

TEST_CASE("P11 little that comes again and again does not hold up the end at a slow sink") {
  OutputPumpWorld at;
  at.pump->finish();
  constexpr auto STEP = OutputPump::QUIET_TIME / 2;
  for (auto time = 0 * kj::MILLISECONDS; time < OutputPump::LINGER_TIME; time += STEP) {
    CHECK_FALSE(at.isEndCalled());
    at.write("x");
    at.pass(STEP);
    at.takeOne();
  }
  at.takeOne();
  CHECK(at.isEndCalled());
}

TEST_CASE("P41 what is left behind has its time again after the connection has broken") {
  OutputPumpWorld at;
  at.writing.fulfiller->fulfill();
  at.pump->finish();
  at.pass(10 * kj::MILLISECONDS);
  at.pump->redirect(kj::heap<FailingSink>(kj::Exception::Type::DISCONNECTED), 0);
  at.write("tee 1, ");
  at.write("tee 2, ");
  at.pass(2 * OutputPump::LINGER_TIME);
  Collected later;
  at.pump->redirect(collectInto(later), 0);
  at.pass(10 * kj::MILLISECONDS);
  at.write("tee 3");
  CHECK_FALSE(at.isEndCalled());
  at.pass(OutputPump::QUIET_TIME);
  CHECK(at.isEndCalled());
  CHECK(later.text() == "tee 1, tee 2, tee 3");
}

TEST_CASE("P41 an output whose end was called is the same for whoever attaches after that") {
  OutputPumpWorld at;
  at.writing.fulfiller->fulfill();
  at.write("whole");
  at.pump->finish();
  at.pass(OutputPump::QUIET_TIME);
  CHECK(at.isEndCalled());
  at.write(", and more");
  Collected later;
  at.pump->redirect(collectInto(later), 0);
  CHECK(at.isDone());
  CHECK(later.text() == "whole");
  CHECK(later.ends == 1);
}

TEST_CASE("P11 what stays behind is not ended by EPIPE, however the output ends") {
  OutputPumpWorld at;
  at.writing.fulfiller->fulfill();
  at.pump->finish();
  auto useSinkFailingWith = [&](kj::Exception::Type type) {
    at.pump->redirect(kj::heap<FailingSink>(type), 0);
  };
  SECTION("its client is lost, and never comes back") {
    useSinkFailingWith(kj::Exception::Type::DISCONNECTED);
    at.write("unheard");
    at.pump->giveUp();
  }
  SECTION("its client is lost after it was given up") {
    useSinkFailingWith(kj::Exception::Type::DISCONNECTED);
    at.pump->giveUp();
    at.write("unheard");
  }
  SECTION("its sink fails") {
    useSinkFailingWith(kj::Exception::Type::FAILED);
    at.write("unheard");
  }
  SECTION("it is dropped, as that of a program without `keep` whose client is lost") {
    at.pass(1 * kj::MILLISECONDS);
    at.pump = nullptr;
  }
  at.pass(30 * kj::SECONDS);
  CHECK(at.leftPipes.size() == 1);
  CHECK(::write(at.programs.get(), "x", 1) == 1);
}

TEST_CASE("a program that still runs is told by its pipe that nobody hears it any more") {
  OutputPumpWorld at;
  at.pump->redirect(kj::heap<FailingSink>(kj::Exception::Type::DISCONNECTED), 0);
  at.write("unheard");
  CHECK(::write(at.programs.get(), "x", 1) == 1);
  at.pump->giveUp();
  CHECK(::write(at.programs.get(), "x", 1) < 0);
  CHECK(errno == EPIPE);
}

}  // namespace
}  // namespace bothy
