#include "lane/lane.h"

#include <capnp/rpc.capnp.h>
#include <capnp/serialize-async.h>
#include <string.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "lane/lane-greeting.h"
#include "schema/agent.capnp.h"
#include "schema/limits.capnp.h"
#include "wire/rpc-connection.h"

namespace bothy {
namespace {

class TestControl final: public rpc::AgentControl::Server {
  kj::Promise<void> ping(PingContext) override { return kj::READY_NOW; }
  kj::Promise<void> report(ReportContext) override { KJ_FAIL_REQUIRE("the guest's own words"); }
  kj::Promise<void> lanes(LanesContext context) override {
    context.getResults().initLanes(1)[0].initSession(answerBytes);
    return kj::READY_NOW;
  }

public:
  kj::uint answerBytes = 0;
};

struct World {
  // A pipe that holds nothing has taken nothing that the other end has not read.
  enum class Pipe { OF_THE_SYSTEM, HOLDS_NOTHING };
  explicit World(Lane::Use use = Lane::Use::CLIENT, Pipe kind = Pipe::OF_THE_SYSTEM)
      : use(use),
        pipe(kind == Pipe::HOLDS_NOTHING ? kj::newTwoWayPipe() : io.provider->newTwoWayPipe()) {}

  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  const Lane::Use use;
  kj::TwoWayPipe pipe;
  Lane lane{kj::mv(pipe.ends[0]), timer, use};
  rpc::AgentControl::Client control = lane.bootstrap().castAs<rpc::AgentControl>();
  kj::Maybe<kj::Own<RpcConnection>> agent;

  void say(kj::Function<void(rpc::Welcome::Builder)> what) {
    auto message = kj::heap<capnp::MallocMessageBuilder>();
    what(message->initRoot<rpc::Welcome>());
    writeGreeting(*pipe.ends[1], kj::mv(message)).wait(scope);
  }
  void welcome() {
    say([](auto welcome) { welcome.setGeneration(rpc::GENERATION); });
  }
  void serve(kj::uint answerBytes = 0) {
    auto control = kj::heap<TestControl>();
    control->answerBytes = answerBytes;
    agent =
        kj::heap<RpcConnection>(kj::mv(pipe.ends[1]), rpc::AgentControl::Client(kj::mv(control)));
  }
  // The agent says an answer, and need not have read the question.
  kj::Promise<void> answer(uint32_t question) {
    auto message = kj::heap<capnp::MallocMessageBuilder>();
    auto answer = message->initRoot<capnp::rpc::Message>().initReturn();
    answer.setAnswerId(question);
    answer.initResults();
    return writeGreeting(*pipe.ends[1], kj::mv(message));
  }
};

TEST_CASE("calls may be made before the welcome, and are answered behind it") {
  World w;
  auto pinging = w.control.pingRequest().send();
  CHECK_FALSE(pinging.poll(w.scope));
  w.say([](auto welcome) { welcome.setGeneration(5); });
  w.serve();
  pinging.wait(w.scope);
  CHECK(w.lane.answer().wait(w.scope).get<uint16_t>() == 5);
  CHECK_FALSE(w.lane.hasEnded());
}

TEST_CASE("a refusal is told, and calls fail as on a connection that was lost") {
  World w;
  auto pinging = w.control.pingRequest().send();
  w.say([](auto welcome) {
    welcome.setRefused(rpc::Refusal::TOO_MANY_LANES);
    welcome.setOldest(3);
  });
  auto refused = w.lane.answer().wait(w.scope).get<LaneRefused>();
  CHECK(refused.why == rpc::Refusal::TOO_MANY_LANES);
  CHECK(refused.oldestGeneration == 3);
  auto type = pinging.ignoreResult()
                  .then([]() { return kj::Exception::Type::FAILED; },
                        [](kj::Exception&& e) { return e.getType(); })
                  .wait(w.scope);
  CHECK(type == kj::Exception::Type::DISCONNECTED);
  w.lane.onDisconnect().wait(w.scope);
}

// A peer that has closed: what is written fails, and what it wrote before is there to be read.
class ClosedPeer final: public kj::AsyncIoStream {
public:
  explicit ClosedPeer(kj::Own<kj::AsyncIoStream> inner) : inner(kj::mv(inner)) {}
  kj::Promise<size_t> tryRead(void* buffer, size_t minBytes, size_t maxBytes) override {
    return inner->tryRead(buffer, minBytes, maxBytes);
  }
  kj::Promise<void> write(const void*, size_t) override {
    kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "a broken pipe"));
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>>) override {
    return KJ_EXCEPTION(DISCONNECTED, "a broken pipe");
  }
  kj::Promise<void> whenWriteDisconnected() override { return kj::NEVER_DONE; }
  void shutdownWrite() override {}

private:
  kj::Own<kj::AsyncIoStream> inner;
};

TEST_CASE("P41 a refusal is told also where the agent closed before all was written") {
  auto io = kj::setupAsyncIo();
  auto pipe = io.provider->newTwoWayPipe();
  Lane lane(kj::heap<ClosedPeer>(kj::mv(pipe.ends[0])), io.provider->getTimer());
  kj::Maybe<bool> wasRefused;
  auto calling = lane.bootstrap()
                     .castAs<rpc::AgentControl>()
                     .pingRequest()
                     .send()
                     .ignoreResult()
                     .catch_([&](kj::Exception&&) { wasRefused = lane.wasRefused(); })
                     .eagerlyEvaluate(nullptr);
  io.waitScope.poll();
  auto message = kj::heap<capnp::MallocMessageBuilder>();
  message->initRoot<rpc::Welcome>().setRefused(rpc::Refusal::TOO_MANY_LANES);
  writeGreeting(*pipe.ends[1], kj::mv(message)).wait(io.waitScope);
  pipe.ends[1] = nullptr;
  auto answer =
      io.provider->getTimer().timeoutAfter(5 * kj::SECONDS, lane.answer()).wait(io.waitScope);
  CHECK(answer.get<LaneRefused>().why == rpc::Refusal::TOO_MANY_LANES);
  calling.wait(io.waitScope);
  CHECK(KJ_ASSERT_NONNULL(wasRefused));
}

TEST_CASE("S01 a welcome that is larger than its limit, or none, ends the lane") {
  {
    World w;
    w.pipe.ends[1] = nullptr;
    CHECK_THROWS_AS(w.lane.answer().wait(w.scope), kj::Exception);
    w.lane.onDisconnect().wait(w.scope);
    CHECK(w.lane.hasEnded());
  }
  World w;
  // A segment of 4 GiB.
  const uint32_t header[] = {0, 0x20000000};
  w.pipe.ends[1]->write(header, sizeof(header)).wait(w.scope);
  CHECK_THROWS_AS(w.lane.answer().wait(w.scope), kj::Exception);
  w.lane.onDisconnect().wait(w.scope);
  CHECK(w.lane.hasEnded());
}

TEST_CASE("S01 a lane on which the agent says what it may not has ended") {
  World w;
  w.welcome();
  w.lane.answer().wait(w.scope);
  CHECK_FALSE(w.lane.hasEnded());
  capnp::MallocMessageBuilder message;
  message.initRoot<capnp::rpc::Message>().initProvide();
  capnp::writeMessage(*w.pipe.ends[1], message).wait(w.scope);
  w.lane.onDisconnect().wait(w.scope);
  w.scope.poll();
  CHECK(w.lane.hasEnded());
}

TEST_CASE("S01 an answer on the control lane is at most 64 KiB, and on a client's more") {
  auto isAnswered = [](Lane::Use use, kj::uint kibibytes) {
    World w(use);
    w.welcome();
    w.serve(kibibytes * 1024);
    const bool came = w.control.lanesRequest()
                          .send()
                          .then([](auto&& told) { return told.getLanes()[0].getSession().size(); })
                          .then([](auto) { return true; }, [](kj::Exception&&) { return false; })
                          .wait(w.scope);
    w.scope.poll();
    CHECK(w.lane.hasEnded() != came);
    return came;
  };
  CHECK(isAnswered(Lane::Use::CONTROL, 60));
  CHECK_FALSE(isAnswered(Lane::Use::CONTROL, 70));
  CHECK(isAnswered(Lane::Use::CLIENT, 70));
}

TEST_CASE("S01 of an agent that leaves 256 KiB of the control lane unread nothing more is read") {
  // Whether a second answer is read while the agent has not read so much.
  auto isRead = [](Lane::Use use, kj::uint kibibytes) {
    World w(use, World::Pipe::HOLDS_NOTHING);
    w.welcome();
    w.scope.poll();
    auto first = w.control.pingRequest().send();
    auto second = w.control.pingRequest().send();
    auto request = w.control.endLanesRequest();
    request.initWhich().initSession(kibibytes * 1024);
    auto large = request.send();
    w.scope.poll();
    // The lane waits for this one since before.
    auto firstAnswer = w.answer(1);
    first.wait(w.scope);
    auto secondAnswer = w.answer(2);
    const bool came = second.poll(w.scope);
    CHECK_FALSE(w.lane.hasEnded());
    w.timer.advanceTo(w.timer.now() + 1 * kj::HOURS);
    CHECK(second.poll(w.scope) == came);
    return came;
  };
  CHECK(isRead(Lane::Use::CONTROL, 200));
  CHECK_FALSE(isRead(Lane::Use::CONTROL, 260));
  CHECK(isRead(Lane::Use::CLIENT, 260));
}

TEST_CASE("S01 an answer that was not asked for, or comes again, ends the lane") {
  for (uint32_t question : {1, 2}) {
    World w(Lane::Use::CONTROL);
    w.welcome();
    auto pinging = w.control.pingRequest().send();
    w.scope.poll();
    w.answer(1).wait(w.scope);
    pinging.wait(w.scope);
    w.scope.poll();
    CHECK_FALSE(w.lane.hasEnded());
    w.answer(question).wait(w.scope);
    w.lane.onDisconnect().wait(w.scope);
    CHECK(w.lane.hasEnded());
  }
}

TEST_CASE("S08 an agent's own words do not come out of a lane") {
  World w;
  w.welcome();
  w.serve();
  kj::String words;
  w.control.reportRequest()
      .send()
      .ignoreResult()
      .catch_([&words](kj::Exception&& e) { words = kj::str(e.getDescription()); })
      .wait(w.scope);
  CHECK(words.size() > 0);
  CHECK(strstr(words.cStr(), "own words") == nullptr);
}

}  // namespace
}  // namespace bothy
