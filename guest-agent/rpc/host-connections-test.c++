#include "rpc/host-connections.h"

#include <capnp/capability.h>
#include <capnp/rpc.capnp.h>
#include <capnp/serialize-async.h>
#include <kj/debug.h>
#include <string.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "lane/lane-greeting.h"
#include "schema/limits.capnp.h"
#include "support/greeted-lane.h"
#include "support/log-record.h"

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

class SomeFiles final: public rpc::Files::Server {
  kj::Promise<void> home(HomeContext context) override {
    context.getResults().setPath("/home"_kj.asBytes());
    return kj::READY_NOW;
  }
  kj::Promise<void> remove(RemoveContext context) override { return kj::READY_NOW; }
};

class SomeSystem final: public rpc::System::Server {
  kj::Promise<void> report(ReportContext context) override { return kj::READY_NOW; }
  kj::Promise<void> health(HealthContext context) override { return kj::NEVER_DONE; }
};

// Real streams and facets, virtual time.
struct Fixture {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()}, bootTimer{kj::origin<kj::TimePoint>()};
  GateKey key{secretOf(7)};
  Rooms rooms{notInThisTest(), notInThisTest(), kj::heap<SomeSystem>(),
              [](kj::StringPtr user) -> kj::Maybe<kj::Own<rpc::Files::Server>> {
                if (user == "nobody") return nullptr;
                return kj::Own<rpc::Files::Server>(kj::heap<SomeFiles>());
              }};
  MessageBudget memory{LANES_MEMORY_BYTES, LANE_SHARE_BYTES};
  HostConnections connections{timer, bootTimer, key, rooms, memory};

  kj::Own<kj::AsyncIoStream> dialRaw() {
    auto pipe = io.provider->newTwoWayPipe();
    connections.add(kj::mv(pipe.ends[1]));
    return kj::mv(pipe.ends[0]);
  }
  kj::Own<Lane> enter(const LaneGrant& grant) {
    return greet(scope, timer, dialRaw(), secretOf(7), grant);
  }
  kj::Own<Lane> enter(rpc::Purpose purpose = rpc::Purpose::CONTROL) {
    return enter(wholeGrant(purpose));
  }
  void ping(Lane& lane) {
    lane.bootstrap().castAs<rpc::AgentControl>().pingRequest().send().wait(scope);
  }
  rpc::Refusal refusal(Lane& lane) { return lane.answer().wait(scope).get<LaneRefused>().why; }
  template <typename Request>
  bool isAllowed(Request request) {
    return request.send()
        .ignoreResult()
        .then([]() { return true; },
              [](kj::Exception&& e) {
                CHECK(e.getType() == kj::Exception::Type::FAILED);
                return false;
              })
        .wait(scope);
  }

  void pass(kj::Duration time) {
    scope.poll();
    timer.advanceTo(timer.now() + time);
    scope.poll();
  }
};

TEST_CASE("S25 who knows the secret gets what is granted") {
  Fixture f;
  auto lane = f.enter();
  CHECK(lane->answer().wait(f.scope).get<uint16_t>() == rpc::GENERATION);
  f.ping(*lane);
}

TEST_CASE("a host and an agent of different generations speak the smaller") {
  Fixture f;
  constexpr uint16_t OLDEST = 4, NEWEST = 7;
  HostConnections connections(f.timer, f.bootTimer, f.key, f.rooms, f.memory, nullptr,
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
  Fixture f;
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
  Fixture f;
  auto lane =
      greet(f.scope, f.timer, f.dialRaw(), secretOf(7), wholeGrant(rpc::Purpose::CONTROL), 0);
  auto refused = lane->answer().wait(f.scope).get<LaneRefused>();
  CHECK(refused.why == rpc::Refusal::GENERATION_TOO_OLD);
  CHECK(refused.oldestGeneration == rpc::OLDEST_GENERATION);
  f.pass(REFUSAL_LINGER);
  CHECK(f.connections.onEmpty().poll(f.scope));
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

TEST_CASE(
    "a connection that said hello waits for its grant, and of too many the oldest is closed") {
  Fixture f;
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
  Fixture f;
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
  Fixture f;
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
  Fixture f;
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

TEST_CASE("a lane that is refused has not begun, and nothing of it is told") {
  Fixture f;
  auto control = f.enter();
  auto agent = control->bootstrap().castAs<rpc::AgentControl>();
  auto telling = agent.eventsRequest().send();
  auto grant = wholeGrant(rpc::Purpose::FILES);
  grant.user = kj::str("nobody");
  auto lane = f.enter(grant);
  CHECK(f.refusal(*lane) == rpc::Refusal::NO_SUCH_USER);
  f.pass(REFUSAL_LINGER);
  CHECK_FALSE(telling.poll(f.scope));

  lane = f.enter(rpc::Purpose::COMMANDS);
  lane->answer().wait(f.scope);
  lane = nullptr;
  auto told = telling.wait(f.scope);
  REQUIRE(told.getEvents().size() == 1);
  CHECK(told.getEvents()[0].getNumber() == 1);
  CHECK(told.getNewest() == 1);
}

TEST_CASE("the control lane tells of lanes, and ends them") {
  Fixture f;
  auto control = f.enter();
  auto agent = control->bootstrap().castAs<rpc::AgentControl>();
  auto grant = wholeGrant(rpc::Purpose::COMMANDS, "a session");
  auto lane = f.enter(grant);
  lane->answer().wait(f.scope);
  auto told = agent.lanesRequest().send().wait(f.scope);
  REQUIRE(told.getLanes().size() == 2);
  CHECK(told.getLanes()[1].getLane() == grant.lane);
  CHECK(told.getLanes()[1].getPurpose() == rpc::Purpose::COMMANDS);
  CHECK(told.getLanes()[1].getSession() == "a session");

  auto request = agent.endLanesRequest();
  request.initWhich().setSession("a session");
  CHECK(request.send().wait(f.scope).getEnded() == 1);
  lane->onDisconnect().wait(f.scope);
  auto events = agent.eventsRequest();
  auto list = events.send().wait(f.scope);
  CHECK(list.getEvents()[list.getEvents().size() - 1].getWhat() == rpc::LaneEvent::What::ORDERED);
}

TEST_CASE("S01 a lane has as many calls under way as limits.capnp says, and ends with one more") {
  Fixture f;
  auto lane = f.enter();
  f.ping(*lane);
  auto agent = lane->bootstrap().castAs<rpc::AgentControl>();
  kj::Vector<kj::Promise<void>> calls;
  auto call = [&]() { calls.add(agent.healthRequest().send().ignoreResult()); };
  // Of many messages only some are read in a turn.
  auto settle = [&]() {
    for (kj::uint i = 0; i < rpc::MAX_LANE_ANSWERS; i++) f.pass(1 * kj::MILLISECONDS);
  };
  while (calls.size() < rpc::MAX_LANE_ANSWERS) call();
  settle();
  CHECK_FALSE(lane->hasEnded());
  call();
  settle();
  CHECK(lane->hasEnded());
}

TEST_CASE("a lane is closed when its lifetime is over") {
  Fixture f;
  auto grant = wholeGrant(rpc::Purpose::COMMANDS);
  grant.lifetime = 3 * kj::SECONDS;
  auto lane = f.enter(grant);
  lane->answer().wait(f.scope);
  auto ended = lane->onDisconnect();
  f.pass(3 * kj::SECONDS);
  CHECK_FALSE(ended.poll(f.scope));
  f.bootTimer.advanceTo(f.bootTimer.now() + 3 * kj::SECONDS);
  ended.wait(f.scope);
}

// The agent's end of a connection of which nothing is taken any more, as of a vsock whose device has no reader.
class ClogStream final: public kj::AsyncIoStream {
public:
  explicit ClogStream(kj::Own<kj::AsyncIoStream> inner) : inner(kj::mv(inner)) {}
  bool isClogged = false;
  bool hidesHangUps = false;  // as a vsock does

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
  kj::Promise<void> whenWriteDisconnected() override {
    if (hidesHangUps) return kj::NEVER_DONE;
    return inner->whenWriteDisconnected();
  }
  void shutdownWrite() override { inner->shutdownWrite(); }
  kj::Maybe<int> getFd() const override { return inner->getFd(); }

private:
  kj::Own<kj::AsyncIoStream> inner;
};

TEST_CASE("P41 a lane that its host has closed ends, though what is written to it goes nowhere") {
  const bool hidesHangUps = GENERATE(false, true);
  Fixture f;
  auto pipe = f.io.provider->newTwoWayPipe();
  auto stream = kj::heap<ClogStream>(kj::mv(pipe.ends[1]));
  auto& clog = *stream;
  clog.hidesHangUps = hidesHangUps;
  f.connections.add(kj::mv(stream));
  auto lane =
      greet(f.scope, f.timer, kj::mv(pipe.ends[0]), secretOf(7), wholeGrant(rpc::Purpose::CONTROL));
  f.ping(*lane);
  clog.isClogged = true;
  auto pinging = lane->bootstrap().castAs<rpc::AgentControl>().pingRequest().send();
  CHECK_FALSE(pinging.poll(f.scope));
  auto empty = f.connections.onEmpty();
  lane = nullptr;
  // Something has come in the first.
  for (int i = 0; i < 2; i++) f.pass(CreditUpdates::FIRST_PAUSE);
  CHECK_FALSE(empty.poll(f.scope));
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
  f.ping(*f.enter());
}

TEST_CASE("S02 why a lane ended by what its client did is told, once in a while") {
  Fixture f;
  LogRecord log;
  auto breakRule = [&]() {
    capnp::MallocMessageBuilder message;
    message.initRoot<capnp::rpc::Message>().initJoin();
    auto pipe = f.io.provider->newTwoWayPipe();
    f.connections.add(kj::mv(pipe.ends[1]));
    writeHello(*pipe.ends[0], secretOf(7)).wait(f.scope);
    auto grant = kj::heap<capnp::MallocMessageBuilder>();
    wholeGrant(rpc::Purpose::COMMANDS).writeTo(grant->initRoot<rpc::Grant>());
    writeGreeting(*pipe.ends[0], kj::mv(grant)).wait(f.scope);
    capnp::writeMessage(*pipe.ends[0], message).wait(f.scope);
    pipe.ends[0]->readAllBytes().wait(f.scope);
    f.scope.poll();
  };
  auto told = [&]() {
    kj::Vector<kj::StringPtr> lines;
    for (auto& line : log.lines) {
      if (line.startsWith("warning a lane ends by what its client did")) lines.add(line);
    }
    return lines;
  };
  breakRule();
  breakRule();
  REQUIRE(told().size() == 1);
  CHECK(strstr(told()[0].cStr(), "may not send a message of this kind") != nullptr);
  f.pass(BREACH_LOG_PAUSE);
  breakRule();
  REQUIRE(told().size() == 2);
  CHECK(strstr(told()[0].cStr(), "leftOut = 0") != nullptr);
  CHECK(strstr(told()[1].cStr(), "leftOut = 1") != nullptr);
  // One that merely leaves is not told of.
  f.pass(BREACH_LOG_PAUSE);
  {
    auto lane = f.enter();
    f.ping(*lane);
  }
  f.scope.poll();
  CHECK(told().size() == 2);
}

TEST_CASE("S02 garbage instead of a message ends the connection and no other") {
  Fixture f;
  auto lane = f.enter();
  f.ping(*lane);
  auto stream = f.dialRaw();
  auto garbage = kj::heapArray<kj::byte>(64);
  for (auto& b : garbage) {
    b = 0xff;
  }
  stream->write(garbage.begin(), garbage.size()).wait(f.scope);
  // Closed, with what it did not read.
  CHECK_THROWS_AS(stream->readAllBytes().wait(f.scope), kj::Exception);
  f.ping(*lane);
}

}  // namespace
}  // namespace bothy
