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
};

struct World {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  kj::TwoWayPipe pipe = io.provider->newTwoWayPipe();
  Lane lane{kj::mv(pipe.ends[0]), io.provider->getTimer()};
  rpc::AgentControl::Client control = lane.bootstrap().castAs<rpc::AgentControl>();
  kj::Maybe<kj::Own<RpcConnection>> agent;

  void say(kj::Function<void(rpc::Welcome::Builder)> what) {
    auto message = kj::heap<capnp::MallocMessageBuilder>();
    what(message->initRoot<rpc::Welcome>());
    writeGreeting(*pipe.ends[1], kj::mv(message)).wait(scope);
  }
  void serve() {
    agent = kj::heap<RpcConnection>(kj::mv(pipe.ends[1]),
                                    rpc::AgentControl::Client(kj::heap<TestControl>()));
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
    return KJ_EXCEPTION(DISCONNECTED, "a broken pipe");
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
  w.say([](auto welcome) { welcome.setGeneration(rpc::GENERATION); });
  w.lane.answer().wait(w.scope);
  CHECK_FALSE(w.lane.hasEnded());
  capnp::MallocMessageBuilder message;
  message.initRoot<capnp::rpc::Message>().initProvide();
  capnp::writeMessage(*w.pipe.ends[1], message).wait(w.scope);
  w.lane.onDisconnect().wait(w.scope);
  w.scope.poll();
  CHECK(w.lane.hasEnded());
}

TEST_CASE("S08 an agent's own words do not come out of a lane") {
  World w;
  w.say([](auto welcome) { welcome.setGeneration(rpc::GENERATION); });
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
