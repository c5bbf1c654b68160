#include "rpc/host-connections.h"

#include <kj/debug.h>
#include <kj/vector.h>

#include <catch2/catch_test_macros.hpp>

#include "lane/lane-greeting.h"
#include "rpc/test-connections.h"

namespace bothy {
namespace {

TEST_CASE("S25 who knows the secret gets what is granted") {
  TestConnections f;
  auto lane = f.enter();
  CHECK(lane->answer().wait(f.scope).get<uint16_t>() == rpc::GENERATION);
  f.ping(*lane);
}

TEST_CASE("a host and an agent of different generations speak the smaller") {
  TestConnections f;
  constexpr uint16_t OLDEST = 4, NEWEST = 7;
  HostConnections connections(f.timer, f.bootTimer, f.key, f.facets, f.memory, nullptr,
                              {NEWEST, OLDEST});
  auto answerTo = [&](uint16_t host) {
    auto pipe = f.io.provider->newTwoWayPipe();
    connections.add(kj::mv(pipe.ends[1]));
    auto lane = greet(f.scope, f.timer, kj::mv(pipe.ends[0]), secretOf(7),
                      wholeGrant(rpc::Purpose::CONTROL), host);
    return lane->answer().wait(f.scope);
  };
  CHECK(answerTo(NEWEST + 1).get<uint16_t>() == NEWEST);
  CHECK(answerTo(NEWEST).get<uint16_t>() == NEWEST);
  CHECK(answerTo(NEWEST - 1).get<uint16_t>() == NEWEST - 1);
  CHECK(answerTo(OLDEST).get<uint16_t>() == OLDEST);
  auto refused = answerTo(OLDEST - 1).get<LaneRefused>();
  CHECK(refused.why == rpc::Refusal::GENERATION_TOO_OLD);
  CHECK(refused.oldestGeneration == OLDEST);
}

TEST_CASE("S25 a wrong secret is answered and the connection closed") {
  TestConnections f;
  for (auto& wrong : {secretOf(8), kj::heapArray<const kj::byte>(0)}) {
    auto lane = greet(f.scope, f.timer, f.dialRaw(), wrong, wholeGrant(rpc::Purpose::CONTROL));
    auto gone = lane->onDisconnect();
    CHECK(f.refusal(*lane) == rpc::Refusal::WRONG_SECRET);
    f.pass(REFUSAL_LINGER);
    gone.wait(f.scope);
    CHECK(f.connections.onEmpty().poll(f.scope));
  }
}

TEST_CASE("S25 without a secret of its own the gate opens for nobody") {
  CHECK_FALSE(GateKey().isOpenedBy(nullptr));
  CHECK_FALSE(GateKey().isOpenedBy(secretOf(0)));
  CHECK_FALSE(GateKey(secretOf(7)).isOpenedBy(secretOf(7).slice(0, 31)));
}

TEST_CASE("a generation that is too old is told the oldest and the connection closed") {
  TestConnections f;
  auto lane =
      greet(f.scope, f.timer, f.dialRaw(), secretOf(7), wholeGrant(rpc::Purpose::CONTROL), 0);
  auto refused = lane->answer().wait(f.scope).get<LaneRefused>();
  CHECK(refused.why == rpc::Refusal::GENERATION_TOO_OLD);
  CHECK(refused.oldestGeneration == rpc::OLDEST_GENERATION);
  f.pass(REFUSAL_LINGER);
  CHECK(f.connections.onEmpty().poll(f.scope));
}

TEST_CASE("S25 who does not say hello gets no byte and is closed after the limit, not before") {
  TestConnections f;
  auto stream = f.dialRaw();
  auto said = stream->readAllBytes();
  f.pass(HELLO_LIMIT - 1 * kj::NANOSECONDS);
  CHECK_FALSE(said.poll(f.scope));
  f.pass(1 * kj::NANOSECONDS);
  CHECK(said.wait(f.scope).size() == 0);
}

TEST_CASE(
    "a connection that said hello waits for its grant, and of too many the oldest is closed") {
  TestConnections f;
  kj::Vector<kj::Own<kj::AsyncIoStream>> spares;
  for (uint i = 0; i <= rpc::MAX_SPARE_LANES; i++) {
    spares.add(f.dialRaw());
    writeHello(*spares.back(), secretOf(7)).wait(f.scope);
    f.scope.poll();
  }
  CHECK(spares[0]->readAllBytes().wait(f.scope).size() == 0);
  f.pass(100 * HELLO_LIMIT);
  auto message = kj::heap<capnp::MallocMessageBuilder>();
  wholeGrant(rpc::Purpose::CONTROL).writeTo(message->initRoot<rpc::Grant>());
  writeGreeting(*spares[1], kj::mv(message)).wait(f.scope);
  Lane lane(kj::mv(spares[1]), f.timer);
  f.ping(lane);
}

TEST_CASE("clients that come at the same time are all served") {
  TestConnections f;
  kj::Vector<kj::Own<kj::AsyncIoStream>> streams;
  for (uint i = 0; i < rpc::MAX_LANES; i++) {
    streams.add(f.dialRaw());
    writeHello(*streams.back(), secretOf(7)).wait(f.scope);
    f.scope.poll();
  }
  for (auto& stream : streams) {
    auto grant = wholeGrant(rpc::Purpose::FILES);
    auto message = kj::heap<capnp::MallocMessageBuilder>();
    grant.writeTo(message->initRoot<rpc::Grant>());
    writeGreeting(*stream, kj::mv(message)).wait(f.scope);
    Lane lane(kj::mv(stream), f.timer);
    CHECK(lane.answer().wait(f.scope).is<uint16_t>());
  }
}

TEST_CASE("S25 a lane has the rights of its grant and no others") {
  TestConnections f;
  auto commands = f.enter(rpc::Purpose::COMMANDS);
  auto agent = commands->bootstrap().castAs<rpc::Agent>();
  CHECK(f.isAllowed(agent.systemRequest()));
  CHECK(f.isAllowed(agent.processesRequest()));
  CHECK_FALSE(f.isAllowed(agent.terminalsRequest()));
  auto grant = wholeGrant(rpc::Purpose::INTERACTIVE);
  grant.verbs = {rpc::Verb::TERMINALS};
  auto interactive = f.enter(grant);
  agent = interactive->bootstrap().castAs<rpc::Agent>();
  CHECK(f.isAllowed(agent.terminalsRequest()));
  CHECK_FALSE(f.isAllowed(agent.systemRequest()));
  CHECK_FALSE(f.isAllowed(agent.processesRequest()));

  grant = wholeGrant(rpc::Purpose::FILES);
  auto files = f.enter(grant);
  auto both = files->bootstrap().castAs<rpc::Files>();
  CHECK(f.isAllowed(both.homeRequest()));
  CHECK(f.isAllowed(both.removeRequest()));
  grant.verbs = {rpc::Verb::READ_FILES};
  auto reading = f.enter(grant);
  auto readable = reading->bootstrap().castAs<rpc::Files>();
  CHECK(f.isAllowed(readable.homeRequest()));
  CHECK_FALSE(f.isAllowed(readable.removeRequest()));
  CHECK_FALSE(f.isAllowed(readable.writeRequest()));
  CHECK_FALSE(f.isAllowed(readable.makeDirectoryRequest()));
  CHECK_FALSE(f.isAllowed(readable.moveRequest()));
  CHECK_FALSE(f.isAllowed(readable.importTreeRequest()));
  CHECK_FALSE(f.isAllowed(readable.makeSymlinkRequest()));
}

TEST_CASE("a lane that cannot be had is refused with the reason") {
  TestConnections f;
  auto grant = wholeGrant(rpc::Purpose::INTERACTIVE);
  grant.verbs = {};
  CHECK(f.refusal(*f.enter(grant)) == rpc::Refusal::NOTHING_GRANTED);
  grant = wholeGrant(rpc::Purpose::FILES);
  grant.user = kj::str("nobody");
  CHECK(f.refusal(*f.enter(grant)) == rpc::Refusal::NO_SUCH_USER);
  grant = wholeGrant(rpc::Purpose::INTERACTIVE);
  grant.actor = kj::str("two\nlines");
  CHECK(f.refusal(*f.enter(grant)) == rpc::Refusal::NOT_UNDERSTOOD);

  kj::Vector<kj::Own<Lane>> lanes;
  for (uint i = 0; i < rpc::MAX_SESSION_LANES; i++) {
    lanes.add(f.enter(rpc::Purpose::COMMANDS));
    lanes.back()->answer().wait(f.scope).get<uint16_t>();
  }
  CHECK(f.refusal(*f.enter(rpc::Purpose::COMMANDS)) == rpc::Refusal::TOO_MANY_LANES);
  // Nothing of the others is ended for it.
  CHECK_FALSE(lanes.front()->hasEnded());
}

TEST_CASE(
    "P45 while the machine ends, lanes of users are not answered, and those there are go on") {
  TestConnections f;
  bool isEnding = false;
  f.connections.holdLanesWhile([&]() { return isEnding; });
  auto before = f.enter(rpc::Purpose::COMMANDS);
  before->answer().wait(f.scope).get<uint16_t>();
  isEnding = true;
  auto held = f.enter(rpc::Purpose::COMMANDS);
  CHECK_FALSE(held->answer().poll(f.scope));
  f.ping(*f.enter());
  CHECK_FALSE(before->hasEnded());
}

TEST_CASE("S25 a flood of strangers does not keep the supervisor out") {
  TestConnections f;
  kj::Vector<kj::Own<kj::AsyncIoStream>> strangers;
  for (auto i : kj::zeroTo(3 * MAX_STRANGERS)) {
    (void)i;
    strangers.add(f.dialRaw());
    f.scope.poll();
  }
  CHECK(strangers.front()->readAllBytes().wait(f.scope).size() == 0);
  f.ping(*f.enter());
}

}  // namespace
}  // namespace bothy
