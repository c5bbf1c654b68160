#include "process/output-pump.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "process/output-pump-world.h"

namespace bothy {
namespace {

TEST_CASE("P04 the end of an output is called behind its last byte, and done when it is answered") {
  OutputPumpWorld at;
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
  OutputPumpWorld at;
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

TEST_CASE("P41 for each sink that follows another the end of an output is ahead again") {
  OutputPumpWorld at;
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
