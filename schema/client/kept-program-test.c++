#include "client/kept-program.h"

#include <signal.h>
#include <string.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "client/client-test-world.h"

namespace bothy {
namespace {

// Collects what is written.
class Collected final: public kj::AsyncOutputStream {
public:
  kj::Promise<void> write(const void* buffer, size_t size) override {
    KJ_IF_MAYBE (g, gate) {
      co_await g->addBranch();
    }
    text = kj::str(text, kj::arrayPtr(static_cast<const char*>(buffer), size));
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    for (auto piece : pieces) co_await write(piece.begin(), piece.size());
  }
  kj::Promise<void> whenWriteDisconnected() override { return kj::NEVER_DONE; }

  kj::String text = kj::str();
  // Set: nothing is written until it is resolved.
  kj::Maybe<kj::ForkedPromise<void>> gate;
};

struct AtProgram: public ClientTestWorld {
  Collected out, err;
  ProgramOutput output{out}, errors{err};
  ProgramFeed feed;
  kj::OneWayPipe input = kj::newOneWayPipe();
  KeptProgram program{reconnection, timer, {output, errors, feed}};
  kj::Promise<void> showing = output.show().eagerlyEvaluate(nullptr);
  kj::Promise<void> reading = feed.read(*input.in).eagerlyEvaluate(nullptr);
  kj::uint starts = 0;  // told
  kj::Promise<KeptProgram::End> ending = nullptr;

  void start(std::initializer_list<kj::StringPtr> argv) {
    auto words = kj::heapArray(argv);
    ending = program
                 .follow(
                     [words = kj::mv(words)](rpc::Command::Builder command) {
                       auto list = command.initArgv(words.size());
                       for (auto i : kj::indices(words)) list.set(i, words[i]);
                     },
                     [this](rpc::Processes::ExecOutcome::Reader) { ++starts; })
                 .eagerlyEvaluate(nullptr);
    settle();
  }
  void type(kj::StringPtr text) {
    input.out->write(text.begin(), text.size()).wait(io.waitScope);
    settle();
  }
  KeptProgram::End end() {
    for (int i = 0; i < 100 && !ending.poll(io.waitScope); ++i) advance(1 * kj::SECONDS);
    return ending.wait(io.waitScope);
  }
};

TEST_CASE("P41 a kept program goes on over lanes that break, and each byte goes once") {
  AtProgram at;
  at.start({"cat"});
  at.type("one ");
  CHECK(at.out.text == "one ");
  for (int loss = 0; loss < 3; ++loss) {
    at.none = NoLane::Kind::PASSES;
    at.supervisor.breakLanes();
    at.settle();
    CHECK_FALSE(at.program.isReached());
    at.type("more ");
    at.none = nullptr;
    at.advance(1 * kj::SECONDS);
    CHECK(at.program.isReached());
  }
  at.input.out = nullptr;
  at.settle();
  auto end = at.end();
  CHECK(end.get<KeptProgram::Ended>().getStatus().getExited() == 0);
  CHECK(at.out.text == "one more more more ");
  CHECK(at.supervisor.program.input == "one more more more ");
  CHECK(at.supervisor.program.starts == 1);
  CHECK(at.supervisor.lanes == 4);
  CHECK(at.starts == 1);
}

TEST_CASE(
    "P41 what a kept program has not had of its input is sent again, and what it said is not") {
  AtProgram at;
  at.start({"sleep"});
  at.type("one two ");
  at.supervisor.program.input = kj::str("one ");
  at.supervisor.program.said = kj::str("heard");
  at.supervisor.breakLanes();
  at.advance(1 * kj::SECONDS);
  CHECK(at.supervisor.program.input == "one two ");
  CHECK(at.out.text == "heard");
  at.supervisor.breakLanes();
  at.advance(1 * kj::SECONDS);
  CHECK(at.out.text == "heard");
}

TEST_CASE("P41 a start that was not answered is asked for again by its request id") {
  AtProgram at;
  at.supervisor.program.neverStarts = true;
  at.start({"exit", "3"});
  at.supervisor.breakLanes();
  at.supervisor.program.neverStarts = false;
  auto end = at.end();
  CHECK(end.get<KeptProgram::Ended>().getStatus().getExited() == 3);
  CHECK(at.supervisor.program.starts == 1);
  CHECK(at.supervisor.lanes == 2);
}

TEST_CASE("P41 nothing is started a second time in another boot") {
  AtProgram at;
  at.supervisor.program.neverStarts = true;
  at.start({"sleep"});
  at.supervisor.breakLanes();
  at.supervisor.startedNanos = 2;
  CHECK(at.end().is<KeptProgram::Lost>());
  CHECK(at.supervisor.program.starts == 1);
}

TEST_CASE("P41 a boot in which the lane was refused was asked for nothing") {
  AtProgram at;
  at.supervisor.refusal = rpc::Refusal::TOO_MANY_LANES;
  at.start({"exit", "3"});
  at.supervisor.refusal = nullptr;
  at.supervisor.startedNanos = 2;
  CHECK(at.end().is<KeptProgram::Ended>());
}

TEST_CASE(
    "P12 a program without input is asked for without, and has its end from an older agent too") {
  AtProgram at;
  at.supervisor.program.knowsNoStdin = GENERATE(true, false);
  at.input.out = nullptr;
  at.settle();
  SECTION("at once") {
    at.start({"cat"});
  }
  SECTION("over a lane that breaks before the answer") {
    at.supervisor.program.neverStarts = true;
    at.start({"cat"});
    at.supervisor.program.neverStarts = false;
    at.supervisor.breakLanes();
  }
  SECTION("over a lane that breaks") {
    at.start({"sleep"});
    at.supervisor.breakLanes();
    at.advance(1 * kj::SECONDS);
    at.program.signal(SIGTERM).wait(at.io.waitScope);
  }
  CHECK(at.end().is<KeptProgram::Ended>());
  CHECK(at.supervisor.program.hasNoStdin);
  CHECK(at.supervisor.program.inputEnded);
}

TEST_CASE("P12 a program whose input may come is asked for with one") {
  AtProgram at;
  at.start({"cat"});
  CHECK_FALSE(at.supervisor.program.hasNoStdin);
  at.input.out = nullptr;
  CHECK(at.end().is<KeptProgram::Ended>());
}

TEST_CASE("P04 a program has ended when its output is there, and not when the agent says so") {
  AtProgram at;
  auto gate = kj::newPromiseAndFulfiller<void>();
  at.out.gate = gate.promise.fork();
  at.start({"sleep"});
  // More than may wait here: what is behind it, the end, is not looked at yet.
  constexpr size_t BYTES = 500 << 10;
  at.supervisor.program.said = kj::str(kj::repeat('x', BYTES));
  at.supervisor.breakLanes();
  at.advance(1 * kj::SECONDS);
  at.program.signal(SIGTERM).wait(at.io.waitScope);
  at.settle();
  CHECK_FALSE(at.ending.poll(at.io.waitScope));
  // A lane that is lost now took the end with it.
  const bool isLost = GENERATE(false, true);
  if (isLost) {
    at.supervisor.breakLanes();
    at.settle();
  }
  gate.fulfiller->fulfill();
  auto end = at.end();
  CHECK(end.get<KeptProgram::Ended>().getStatus().getKilled() == SIGTERM);
  at.output.finish();
  at.settle();
  CHECK(at.out.text.size() == BYTES);
  CHECK(at.supervisor.lanes == (isLost ? 3 : 2));
}

TEST_CASE("a kept program that cannot be had again is lost") {
  AtProgram at;
  at.start({"sleep"});
  at.supervisor.program.forgotten = true;
  at.supervisor.breakLanes();
  CHECK(at.end().is<KeptProgram::Lost>());
}

TEST_CASE("a program that cannot be started says why") {
  AtProgram at;
  at.start({"nope"});
  auto end = at.end();
  auto& why = end.get<KeptProgram::NotStarted>();
  CHECK(why.getOutcome().getFailed().getReason() == rpc::StartFailure::Reason::PROGRAM_NOT_FOUND);
  CHECK(at.starts == 0);
}

TEST_CASE("P12 signals and the end reach a kept program over the lane that it has") {
  AtProgram at;
  at.start({"sleep"});
  at.supervisor.breakLanes();
  at.advance(1 * kj::SECONDS);
  at.program.signal(SIGTERM).wait(at.io.waitScope);
  auto end = at.end();
  CHECK(end.get<KeptProgram::Ended>().getStatus().getKilled() == SIGTERM);
  at.program.end().wait(at.io.waitScope);
  CHECK(at.supervisor.program.ended);
}

TEST_CASE("P12 an end that nobody answers takes no longer than its limit") {
  AtProgram at;
  at.start({"sleep"});
  at.supervisor.program.neverEnds = true;
  auto ending = at.program.end().eagerlyEvaluate(nullptr);
  at.advance(KeptProgram::END_LIMIT / 2);
  CHECK_FALSE(ending.poll(at.io.waitScope));
  at.advance(KeptProgram::END_LIMIT / 2);
  REQUIRE(ending.poll(at.io.waitScope));
  ending.wait(at.io.waitScope);
}

}  // namespace
}  // namespace bothy
