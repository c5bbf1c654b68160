#include "control/client-connection.h"

#include <capnp/rpc.capnp.h>
#include <capnp/serialize-async.h>
#include <kj/debug.h>
#include <string.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include <algorithm>

#include "control/supervisor-fixture.h"

namespace bothy {
namespace {

// Until a message that is not taken counts as one that nobody reads.
constexpr kj::Duration PATIENCE = 500 * kj::MILLISECONDS;

// A client that writes messages of its own making.
struct RawClient: public Fixture {
  kj::Own<kj::AsyncCapabilityStream> raw;
  kj::Own<ClientConnection> connection;

  RawClient() {
    auto pipe = io.provider->newCapabilityPipe();
    raw = kj::mv(pipe.ends[1]);
    connection = kj::heap<ClientConnection>(
        kj::heap<DescriptorFilter>(kj::mv(pipe.ends[0]), 0), lanes.descriptors,
        kj::heap<SupervisorFacet>(rooms(), ClientIdentity{2, 0, 0, 0}), io.provider->getTimer(),
        budget);
    CHECK(isTaken([](auto message) { message.initBootstrap().setQuestionId(0); }));
  }

  template <typename Fill>
  bool isTaken(Fill&& fill) {
    capnp::MallocMessageBuilder message;
    fill(message.initRoot<capnp::rpc::Message>());
    return capnp::writeMessage(*raw, message)
        .then([]() { return true; })
        .exclusiveJoin(io.provider->getTimer().afterDelay(PATIENCE).then([]() { return false; }))
        .wait(scope);
  }

  bool isListTaken(uint32_t question) {
    return isTaken([&](auto message) {
             auto call = message.initCall();
             call.setQuestionId(question);
             call.initTarget().initPromisedAnswer().setQuestionId(0);
             call.setInterfaceId(capnp::typeId<rpc::Supervisor>());
             call.setMethodId(2);
             call.getParams().getContent().template initAs<rpc::Supervisor::ListParams>();
           }) &&
           isTaken([&](auto message) {
             auto finish = message.initFinish();
             finish.setQuestionId(question);
             finish.setReleaseResultCaps(true);
           });
  }
};

TEST_CASE("S01 a client that reads no answers is not read any more, and keeps its connection") {
  RawClient client;
  constexpr uint32_t MANY = 20000;
  uint32_t taken = 0;
  while (taken < MANY && client.isListTaken(taken + 1)) ++taken;
  CHECK(taken > 0);
  CHECK(taken < MANY);
  CHECK_FALSE(client.connection->onDisconnect().poll(client.scope));
  // Others are served.
  client.supervisor().listRequest().send().wait(client.scope);
}

// One that sends a part of a message as large as one may be, and no more.
struct PartialClient {
  static constexpr size_t BYTES = 8 * 1024 * 1024 - 64 * 1024;
  static constexpr size_t MISSING = 1024;

  kj::Own<kj::AsyncCapabilityStream> raw;
  kj::Own<ClientConnection> connection;
  kj::Array<uint32_t> bytes = kj::heapArray<uint32_t>(BYTES / sizeof(uint32_t));
  bool isTaken = false;
  kj::Promise<void> writing = nullptr;

  PartialClient(Fixture& f, kj::Timer& timer) {
    auto pipe = f.io.provider->newCapabilityPipe();
    raw = kj::mv(pipe.ends[1]);
    connection = kj::heap<ClientConnection>(
        kj::heap<DescriptorFilter>(kj::mv(pipe.ends[0]), 0), f.lanes.descriptors,
        kj::heap<SupervisorFacet>(f.rooms(), ClientIdentity{2, 0, 0, 0}), timer, f.budget);
    memset(bytes.begin(), 0, BYTES);
    bytes[1] = (BYTES - sizeof(capnp::word)) / sizeof(capnp::word);  // of the only segment
    writing = raw->write(bytes.begin(), BYTES - MISSING)
                  .then([this]() { isTaken = true; })
                  .eagerlyEvaluate([](kj::Exception&&) {});
  }
};

TEST_CASE("S01 messages of which a part has come count among what all clients may take") {
  Fixture f;
  constexpr kj::uint CLIENTS = 20;
  auto& timer = f.io.provider->getTimer();
  kj::Vector<kj::Own<PartialClient>> clients;
  for (kj::uint i = 0; i < CLIENTS; i++) clients.add(kj::heap<PartialClient>(f, timer));
  // Until nothing more is taken.
  for (size_t before = 0, now = 1; before != now || now < CLIENTS_BYTES / 2;
       now = f.budget.total()) {
    before = f.budget.total();
    timer.afterDelay(PATIENCE).wait(f.scope);
    REQUIRE_FALSE(clients[0]->connection->onDisconnect().poll(f.scope));
    kj::uint taken = 0;
    for (auto& client : clients) taken += client->isTaken;
    REQUIRE(taken < CLIENTS);
  }
  CHECK(f.budget.total() >= CLIENTS_BYTES);
  // Each is nobody's, and may have a little beyond it.
  CHECK(f.budget.total() <= CLIENTS_MOST_BYTES);
  // Who wants little is served.
  f.supervisor().listRequest().send().wait(f.scope);
}

TEST_CASE("S01 a message that does not come whole in time ends its connection") {
  Fixture f;
  PartialClient client(f, f.timer);
  auto ended = client.connection->onDisconnect();
  auto& real = f.io.provider->getTimer();
  for (int i = 0; i < 2000 && !client.isTaken; i++)
    real.afterDelay(10 * kj::MILLISECONDS).wait(f.scope);
  REQUIRE(client.isTaken);
  f.settle();
  f.advance(MESSAGE_LIMIT - 1 * kj::SECONDS);
  CHECK_FALSE(ended.poll(f.scope));
  f.advance(1 * kj::SECONDS);
  ended.exclusiveJoin(real.afterDelay(10 * kj::SECONDS).then([]() { FAIL("it goes on"); }))
      .wait(f.scope);
}

TEST_CASE("S01 the time in which a message waits for what others hold is not its client's") {
  Fixture f;
  constexpr size_t CLIENTS = 5, BYTES = CLIENTS_MOST_BYTES / CLIENTS - 1024 * 1024;
  auto stranger = f.io.provider->newTwoWayPipe();
  capnp::AsyncIoMessageStream strangers(*stranger.ends[0]);
  const GuardRules rules = {GuardRules::Peer::ASKS, 1024, kj::maxValue, 10, 10};
  kj::Vector<kj::Own<MessageGuard>> greedy;
  for (size_t i = 0; i < CLIENTS; i++) {
    greedy.add(kj::heap<MessageGuard>(strangers, f.timer, rules, f.budget, nullptr,
                                      i % 2 == 0 ? "1001"_kj : "1002"_kj));
    greedy.back()->watchQueue([]() { return BYTES; });
  }
  const auto ended = [&]() {
    size_t count = 0;
    for (auto& guard : greedy) count += guard->hasBeenCut();
    return count;
  };
  PartialClient client(f, f.timer);
  auto end = client.connection->onDisconnect();
  const auto pass = [&](kj::Duration time) {
    constexpr auto STEP = 50 * kj::MILLISECONDS;
    for (auto left = time; left > 0 * kj::SECONDS && !client.isTaken; left -= STEP) {
      f.settle();
      f.advance(STEP);
    }
  };
  pass(MessageGuard::MOST_STANDSTILL - 1 * kj::SECONDS);
  CHECK(ended() == 0);
  CHECK_FALSE(client.isTaken);
  pass(3 * kj::SECONDS);
  CHECK(ended() > 0);
  CHECK(ended() < CLIENTS);
  CHECK_FALSE(end.poll(f.scope));
  // It goes on, and has all its own time for that.
  pass(MESSAGE_LIMIT - 5 * kj::SECONDS);
  CHECK(client.isTaken);
  CHECK_FALSE(end.poll(f.scope));
}

TEST_CASE("S01 a client that sends a whole message now and then keeps its connection") {
  RawClient client;
  kj::Own<kj::AsyncCapabilityStream> raw;
  auto pipe = client.io.provider->newCapabilityPipe();
  ClientConnection connection(kj::heap<DescriptorFilter>(kj::mv(pipe.ends[0]), 0),
                              client.lanes.descriptors,
                              kj::heap<SupervisorFacet>(client.rooms(), ClientIdentity{3, 0, 0, 0}),
                              client.timer, client.budget);
  client.raw = kj::mv(pipe.ends[1]);
  CHECK(client.isTaken([](auto message) { message.initBootstrap().setQuestionId(0); }));
  for (kj::uint i = 1; i <= 3; i++) {
    client.settle();
    client.advance(MESSAGE_LIMIT - 1 * kj::SECONDS);
    CHECK(client.isListTaken(i));
  }
  client.settle();
  client.advance(2 * MESSAGE_LIMIT);
  CHECK_FALSE(connection.onDisconnect().poll(client.scope));
}

// Each look at it finds a millisecond more gone.
class HurryingClock final: public kj::MonotonicClock {
public:
  kj::TimePoint now() const override { return time += 1 * kj::MILLISECONDS; }

private:
  mutable kj::TimePoint time = kj::origin<kj::TimePoint>();
};

TEST_CASE("S02 a client whose questions take long has its turn, and then others have theirs") {
  RawClient client;
  HurryingClock clock;
  auto pipe = client.io.provider->newCapabilityPipe();
  ClientConnection connection(kj::heap<DescriptorFilter>(kj::mv(pipe.ends[0]), 0),
                              client.lanes.descriptors,
                              kj::heap<SupervisorFacet>(client.rooms(), ClientIdentity{3, 0, 0, 0}),
                              client.timer, client.budget, clock);
  client.raw = kj::mv(pipe.ends[1]);
  CHECK(client.isTaken([](auto message) { message.initBootstrap().setQuestionId(0); }));
  auto answered = [&]() {
    return capnp::readMessage(*client.raw).then([](auto&&) {}).eagerlyEvaluate(nullptr);
  };
  client.settle();
  answered().wait(client.scope);
  // The timer of the guard stands still: it has no turn again before that goes on.
  CHECK(client.isListTaken(1));
  auto listing = answered();
  client.settle();
  CHECK_FALSE(listing.poll(client.scope));
  client.advance(0 * kj::NANOSECONDS);
  listing.wait(client.scope);
}

TEST_CASE("S01 a client that sends a descriptor loses its connection, and is told why") {
  RawClient client;
  auto& timer = client.io.provider->getTimer();
  auto ended = client.connection->onDisconnect();
  CHECK_FALSE(ended.poll(client.scope));
  int fds[] = {STDERR_FILENO};
  client.raw->writeWithFds("x"_kj.asBytes(), nullptr, fds).wait(client.scope);
  ended.exclusiveJoin(timer.afterDelay(10 * kj::SECONDS).then([]() { FAIL("it goes on"); }))
      .wait(client.scope);
  client.connection = nullptr;
  auto heard = client.raw->readAllBytes().wait(client.scope);
  constexpr auto WHY = "file descriptor"_kj;
  CHECK(std::search(heard.begin(), heard.end(), WHY.begin(), WHY.end()) != heard.end());
}

TEST_CASE("S01 a client that sends a message of an unknown kind loses its connection") {
  RawClient client;
  CHECK(client.isTaken([](auto message) { message.initJoin(); }));
  CHECK(client.connection->onDisconnect()
            .then([]() { return true; })
            .exclusiveJoin(client.io.provider->getTimer().afterDelay(10 * kj::SECONDS).then([]() {
              return false;
            }))
            .wait(client.scope));
}

}  // namespace
}  // namespace bothy
