// How lanes end, and what is told of it.

#include <capnp/capability.h>
#include <capnp/rpc.capnp.h>
#include <capnp/serialize-async.h>
#include <kj/debug.h>
#include <string.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "lane/lane-greeting.h"
#include "rpc/test-connections.h"
#include "support/log-record.h"

namespace bothy {
namespace {

TEST_CASE("a lane that is refused has not begun, and nothing of it is told") {
  TestConnections f;
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
  TestConnections f;
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
  CHECK(list.getEvents()[list.getEvents().size() - 1].getWhat() == rpc::AgentEvent::What::ORDERED);
}

TEST_CASE("S01 a lane has as many calls under way as limits.capnp says, and ends with one more") {
  TestConnections f;
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
  TestConnections f;
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
  TestConnections f;
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

TEST_CASE("S02 why a lane ended by what its client did is told, once in a while") {
  TestConnections f;
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
      if (line.startsWith("warning a lane is ended")) lines.add(line);
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
  TestConnections f;
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
