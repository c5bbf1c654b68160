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

// Takes no gap, as one of an older client.
class OldSink final: public rpc::ByteSink::Server {
public:
  kj::Promise<void> write(WriteContext) override { return kj::READY_NOW; }
  kj::Promise<void> end(EndContext) override {
    FAIL("it would take the rest for the whole");
    return kj::READY_NOW;
  }
};

// One whose output was had, and of which another output has left the last.
struct LostWorld: public OutputPumpWorld {
  static constexpr uint64_t WRITTEN = 40000, KEPT = 32 * 1024, LOST = WRITTEN - KEPT;
  OutputRing other{outputs, {4096, 2 * KEPT}};

  LostWorld() : OutputPumpWorld(2 * KEPT) {
    REQUIRE(fill(WRITTEN) == WRITTEN);
    writing.fulfiller->fulfill();
    io.waitScope.poll();
    REQUIRE(collected.bytes.size() == WRITTEN);
    other.setWatched(true);
    other.append(kj::heapArray<kj::byte>(WRITTEN));
    REQUIRE(outputs.held() == 2 * KEPT);
  }
};

TEST_CASE("P41 what of an output is lost is a gap with its size for the sink that comes") {
  LostWorld at;
  Collected later;
  at.pump->redirect(collectInto(later), 10);
  at.io.waitScope.poll();
  CHECK(later.lost == LostWorld::LOST - 10);
  CHECK(later.bytes.size() == LostWorld::KEPT);

  Collected last;
  at.pump->redirect(collectInto(last), LostWorld::LOST);
  at.programs = nullptr;
  at.pump->finish();
  CHECK(at.isEndCalled());
  CHECK(last.lost == 0);
  CHECK(last.bytes.size() == LostWorld::KEPT);
  CHECK(last.ends == 1);
}

TEST_CASE("P41 a sink that knows no gaps does not take the rest of an output for the whole") {
  LostWorld at;
  at.programs = nullptr;
  at.pump->finish();
  at.pump->redirect(kj::heap<OldSink>(), 0);
  auto done = at.pump->onDone(), endCalled = at.pump->onEndCalled();
  REQUIRE(done.poll(at.io.waitScope));
  REQUIRE(endCalled.poll(at.io.waitScope));
  for (auto promise : {&done, &endCalled}) {
    auto failure = kj::runCatchingExceptions([&]() { promise->wait(at.io.waitScope); });
    CHECK(KJ_REQUIRE_NONNULL(failure).getType() == kj::Exception::Type::OVERLOADED);
  }
}

TEST_CASE(
    "P41 a program keeps its pipe where a sink knows no gaps, until one comes that does or none "
    "will") {
  const bool comes = GENERATE(true, false);
  LostWorld at;
  at.pump->redirect(kj::heap<OldSink>(), 0);
  auto done = at.pump->onDone();
  REQUIRE(done.poll(at.io.waitScope));
  CHECK_THROWS_AS(done.wait(at.io.waitScope), kj::Exception);
  at.write("more");
  if (!comes) {
    at.pump->giveUp();
    CHECK(::write(at.programs.get(), "x", 1) < 0);
    return;
  }
  Collected later;
  at.pump->redirect(collectInto(later), LostWorld::WRITTEN);
  at.programs = nullptr;
  at.pump->finish();
  CHECK(at.isDone());
  CHECK(later.text() == "more");
}

TEST_CASE("S42 an output whose program says nothing gives way to one that nobody waits for") {
  OutputPumpWorld at((64 + 4) * 1024);
  OutputRing other{at.outputs, {4096, 32 * 1024}};
  auto add = [&](size_t bytes) { other.append(kj::heapArray<kj::byte>(bytes)); };
  add(1);
  REQUIRE(at.fill(40000) == 40000);
  at.writing.fulfiller->fulfill();
  at.io.waitScope.poll();
  REQUIRE(at.outputs.held() == (64 + 4) * 1024);
  add(32 * 1024);
  CHECK(other.size() == 4096);
  at.pass(OutputPump::IDLE_TIME);
  add(32 * 1024);
  CHECK(other.size() == 32 * 1024);
  // It has all that comes all the same.
  REQUIRE(at.fill(10) == 10);
  at.programs = nullptr;
  at.pump->finish();
  CHECK(at.isEndCalled());
  CHECK(at.collected.bytes.size() == 40010);
  CHECK(at.collected.lost == 0);
}

TEST_CASE("S42 an output without room is sent in small parts, and none of it is lost on the way") {
  OutputPumpWorld at(16 * 1024);
  OutputRing other{at.outputs, {4096, 16 * 1024}};
  other.setWatched(true);
  other.append(kj::heapArray<kj::byte>(16 * 1024));
  REQUIRE(at.fill(40000) == 40000);
  at.writing.fulfiller->fulfill();
  at.io.waitScope.poll();
  CHECK(at.collected.bytes.size() == 40000);
  CHECK(at.collected.lost == 0);
  CHECK(at.outputs.held() <= 16 * 1024);
}

}  // namespace
}  // namespace bothy
