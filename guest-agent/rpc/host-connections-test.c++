#include "rpc/host-connections.h"

#include <capnp/capability.h>
#include <kj/debug.h>

#include <catch2/catch_test_macros.hpp>

#include "rpc/agent-facet.h"
#include "schema/limits.capnp.h"
#include "wire/rpc-connection.h"

namespace bothy {
namespace {

kj::Array<const kj::byte> secretOf(kj::byte filler) {
  auto secret = kj::heapArray<kj::byte>(rpc::SECRET_BYTES);
  for (auto& b : secret) {
    b = filler;
  }
  return kj::mv(secret);
}

kj::Exception notInThisTest() {
  return KJ_EXCEPTION(UNIMPLEMENTED, "not in this test");
}

// Real streams and facets, virtual time.
struct Fixture {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  GateKey key{secretOf(7)};
  Rooms rooms{notInThisTest(), notInThisTest(), notInThisTest(),
              [](kj::StringPtr) -> rpc::Files::Client { return notInThisTest(); }};
  HostConnections connections{timer, key, newAgentFacet(rooms)};

  kj::Own<kj::AsyncIoStream> dialRaw() {
    auto pipe = io.provider->newTwoWayPipe();
    connections.add(kj::mv(pipe.ends[1]));
    return kj::mv(pipe.ends[0]);
  }
  kj::Own<RpcConnection> dial() { return kj::heap<RpcConnection>(dialRaw()); }

  using Hello = capnp::RemotePromise<rpc::AgentGate::HelloResults>;
  Hello hello(RpcConnection& lane, kj::ArrayPtr<const kj::byte> secret,
              uint16_t generation = rpc::GENERATION) {
    auto request = lane.bootstrap().castAs<rpc::AgentGate>().helloRequest();
    request.setSecret(secret);
    request.setGeneration(generation);
    return request.send();
  }
  rpc::Agent::Client enter(RpcConnection& lane) {
    auto response = hello(lane, secretOf(7)).wait(scope);
    return response.getOutcome().getWelcome().getAgent();
  }

  void pass(kj::Duration time) {
    scope.poll();
    timer.advanceTo(timer.now() + time);
    scope.poll();
  }
};

TEST_CASE("S25 who knows the secret gets the agent and the smaller generation") {
  Fixture f;
  auto lane = f.dial();
  auto response = f.hello(*lane, secretOf(7), 40000).wait(f.scope);
  REQUIRE(response.getOutcome().isWelcome());
  CHECK(response.getOutcome().getWelcome().getGeneration() == rpc::GENERATION);
  response.getOutcome().getWelcome().getAgent().pingRequest().send().wait(f.scope);
}

TEST_CASE("S25 a wrong secret is answered and the connection closed") {
  Fixture f;
  for (auto& wrong : {secretOf(8), kj::heapArray<const kj::byte>(0)}) {
    auto lane = f.dial();
    auto gone = lane->onDisconnect();
    CHECK(f.hello(*lane, wrong).wait(f.scope).getOutcome().isWrongSecret());
    f.pass(REFUSAL_LINGER);
    gone.wait(f.scope);
  }
}

TEST_CASE("S25 without a secret of its own the gate opens for nobody") {
  CHECK_FALSE(GateKey().isOpenedBy(nullptr));
  CHECK_FALSE(GateKey().isOpenedBy(secretOf(0)));
  CHECK_FALSE(GateKey(secretOf(7)).isOpenedBy(secretOf(7).slice(0, 31)));
}

TEST_CASE("a generation that is too old is told the oldest and the connection closed") {
  Fixture f;
  auto lane = f.dial();
  auto gone = lane->onDisconnect();
  auto response = f.hello(*lane, secretOf(7), 0).wait(f.scope);
  REQUIRE(response.getOutcome().isGenerationTooOld());
  CHECK(response.getOutcome().getGenerationTooOld() == rpc::OLDEST_GENERATION);
  f.pass(REFUSAL_LINGER);
  gone.wait(f.scope);
}

TEST_CASE("S25 a connection has one guess") {
  Fixture f;
  auto lane = f.dial();
  auto first = f.hello(*lane, secretOf(8));
  auto second = f.hello(*lane, secretOf(7));
  CHECK(first.wait(f.scope).getOutcome().isWrongSecret());
  CHECK_THROWS_AS(second.wait(f.scope), kj::Exception);
}

TEST_CASE("S25 who does not say hello gets no byte and is closed after the limit, not before") {
  Fixture f;
  auto stream = f.dialRaw();
  auto said = stream->readAllBytes();
  f.pass(HELLO_LIMIT - 1 * kj::NANOSECONDS);
  CHECK_FALSE(said.poll(f.scope));
  f.pass(1 * kj::NANOSECONDS);
  CHECK(said.wait(f.scope).size() == 0);
}

TEST_CASE("a lane that was welcomed stays after the limit") {
  Fixture f;
  auto lane = f.dial();
  auto agent = f.enter(*lane);
  f.pass(10 * HELLO_LIMIT);
  agent.pingRequest().send().wait(f.scope);
}

TEST_CASE("P41 over the limit of lanes the oldest makes room") {
  Fixture f;
  kj::Vector<kj::Own<RpcConnection>> lanes;
  kj::Vector<rpc::Agent::Client> agents;
  auto add = [&]() {
    lanes.add(f.dial());
    agents.add(f.enter(*lanes.back()));
  };
  for (auto i : kj::zeroTo(uint32_t(rpc::MAX_CONNECTIONS))) {
    (void)i;
    add();
  }
  auto oldest = lanes.front()->onDisconnect();
  CHECK_FALSE(oldest.poll(f.scope));
  add();
  oldest.wait(f.scope);
  for (size_t i = 1; i < agents.size(); i++) agents[i].pingRequest().send().wait(f.scope);
}

// The agent's end of a connection of which nothing is taken any more, as of a vsock whose device has no reader.
class ClogStream final: public kj::AsyncIoStream {
public:
  explicit ClogStream(kj::Own<kj::AsyncIoStream> inner) : inner(kj::mv(inner)) {}
  bool isClogged = false;

  kj::Promise<size_t> tryRead(void* buffer, size_t minBytes, size_t maxBytes) override {
    return inner->tryRead(buffer, minBytes, maxBytes);
  }
  kj::Promise<void> write(const void* buffer, size_t size) override {
    if (isClogged) return kj::NEVER_DONE;
    return inner->write(buffer, size);
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    if (isClogged) return kj::NEVER_DONE;
    return inner->write(pieces);
  }
  kj::Promise<void> whenWriteDisconnected() override { return inner->whenWriteDisconnected(); }
  void shutdownWrite() override { inner->shutdownWrite(); }

private:
  kj::Own<kj::AsyncIoStream> inner;
};

TEST_CASE("P41 a lane that its host has closed ends, though what is written to it goes nowhere") {
  Fixture f;
  auto pipe = f.io.provider->newTwoWayPipe();
  auto stream = kj::heap<ClogStream>(kj::mv(pipe.ends[1]));
  auto& clog = *stream;
  f.connections.add(kj::mv(stream));
  auto lane = kj::heap<RpcConnection>(kj::mv(pipe.ends[0]));
  auto agent = f.enter(*lane);
  clog.isClogged = true;
  auto pinging = agent.pingRequest().send();
  CHECK_FALSE(pinging.poll(f.scope));
  auto empty = f.connections.onEmpty();
  lane = nullptr;
  f.pass(CLOSED_LINGER);
  CHECK(empty.poll(f.scope));
}

TEST_CASE("S25 a flood of strangers does not keep the supervisor out") {
  Fixture f;
  kj::Vector<kj::Own<kj::AsyncIoStream>> strangers;
  for (auto i : kj::zeroTo(3 * MAX_STRANGERS)) {
    (void)i;
    strangers.add(f.dialRaw());
    f.scope.poll();
  }
  CHECK(strangers.front()->readAllBytes().wait(f.scope).size() == 0);
  auto lane = f.dial();
  f.enter(*lane).pingRequest().send().wait(f.scope);
}

TEST_CASE("S02 garbage instead of a message ends the connection and no other") {
  Fixture f;
  auto lane = f.dial();
  auto agent = f.enter(*lane);
  auto stream = f.dialRaw();
  auto garbage = kj::heapArray<kj::byte>(64);
  for (auto& b : garbage) {
    b = 0xff;
  }
  stream->write(garbage.begin(), garbage.size()).wait(f.scope);
  stream->readAllBytes().wait(f.scope);
  agent.pingRequest().send().wait(f.scope);
}

}  // namespace
}  // namespace bothy
