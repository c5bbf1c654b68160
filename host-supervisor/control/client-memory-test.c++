// What clients may make bothyd hold together, and what each has whatever the others do.

#include <capnp/rpc-twoparty.h>
#include <kj/debug.h>
#include <kj/vector.h>

#include <catch2/catch_test_macros.hpp>

#include "control/event-watches.h"
#include "control/supervisor-fixture.h"

namespace bothy {
namespace {

// Of its calls so many are answered by nobody, the others at once.
class WaitingLane final: public rpc::Lane::Server {
public:
  explicit WaitingLane(kj::uint waiting) : left(waiting) {}

private:
  kj::uint left;

  kj::Promise<void> whenEnded(WhenEndedContext) override {
    if (left == 0) return kj::READY_NOW;
    --left;
    return kj::NEVER_DONE;
  }
};

struct Client {
  kj::Own<kj::AsyncCapabilityStream> stream;
  kj::Own<ClientConnection> connection;
  kj::Own<capnp::TwoPartyClient> rpc;
  kj::Maybe<rpc::Lane::Client> lane;
  kj::Vector<kj::Promise<void>> calls;

  Client(Fixture& f, kj::StringPtr user, kj::uint waiting) {
    auto pipe = f.io.provider->newCapabilityPipe();
    stream = kj::mv(pipe.ends[1]);
    connection = kj::heap<ClientConnection>(kj::heap<DescriptorFilter>(kj::mv(pipe.ends[0]), 0),
                                            f.lanes.descriptors, kj::heap<WaitingLane>(waiting),
                                            f.timer, f.budget, nullptr, user);
    rpc = kj::heap<capnp::TwoPartyClient>(*stream, 1);
    lane = rpc->bootstrap().castAs<rpc::Lane>();
  }
  void call() {
    calls.add(KJ_ASSERT_NONNULL(lane).whenEndedRequest().send().ignoreResult().eagerlyEvaluate(
        [](kj::Exception&&) {}));
  }
};

struct ManyClients: public Fixture {
  kj::Vector<kj::Own<Client>> greedy;

  // Of many messages only some are read in a turn.
  template <typename IsOver>
  bool passUntil(IsOver&& isOver) {
    constexpr int TURNS = 4000;
    for (int i = 0; i < TURNS && !isOver(); i++) {
      settle();
      advance(1 * kj::MILLISECONDS);
    }
    settle();
    return isOver();
  }
  void pass() {
    passUntil([]() { return false; });
  }
  Client& add(kj::StringPtr user, kj::uint calls) {
    auto& client = *greedy.add(kj::heap<Client>(*this, user, kj::maxValue));
    for (kj::uint i = 0; i < calls; i++) client.call();
    return client;
  }
  // Whether its next call is answered; it has made `waiting` that are not.
  bool isServed(Client& client, kj::uint waiting) {
    for (kj::uint i = 0; i < 2; i++) client.call();
    return passUntil([&]() { return client.calls[waiting + 1].poll(scope); });
  }
};

constexpr kj::uint MOST_LASTING_CALLS = MAX_HELD_LANES + MAX_HELD_WATCHES;

TEST_CASE("S01 calls of one user's that nobody answers keep no other from being served") {
  ManyClients f;
  Client honest(f, "1002", MOST_LASTING_CALLS);
  for (kj::uint i = 0; i < MOST_LASTING_CALLS; i++) honest.call();
  REQUIRE(f.passUntil(
      [&]() { return f.budget.total() >= MOST_LASTING_CALLS * MessageGuard::WAITING_CALL_BYTES; }));
  SECTION("whatever he holds") {
    constexpr kj::uint CLIENTS = 3, CALLS = 2000;
    for (kj::uint i = 0; i < CLIENTS; i++) f.add("1001", CALLS);
    f.pass();
    // No more than his part, but for the share of each.
    CHECK(f.budget.total() <=
          CLIENTS_USER_BYTES + (CLIENTS * CLIENT_SHARE_CALLS + MOST_LASTING_CALLS + 1) *
                                   (MessageGuard::WAITING_CALL_BYTES + 1024));
  }
  SECTION("whatever several hold") {
    for (auto user : {"1001", "1003", "1004", "1005", "1006"}) f.add(user, 1500);
    REQUIRE(f.passUntil([&]() { return f.budget.total() >= CLIENTS_BYTES; }));
  }
  CHECK(f.isServed(honest, MOST_LASTING_CALLS));
  for (auto& client : f.greedy) CHECK_FALSE(client->connection->onDisconnect().poll(f.scope));
}

TEST_CASE("S01 P12 a client that has gone holds nothing any more, though nothing was read of it") {
  ManyClients f;
  constexpr kj::uint CALLS = 2000;
  auto& client = f.add("1001", CALLS);
  f.pass();
  REQUIRE(f.budget.total() >= CLIENTS_USER_BYTES);
  auto ended = client.connection->onDisconnect();
  client.calls.clear();
  client.lane = nullptr;
  client.rpc = nullptr;
  client.stream = nullptr;
  f.pass();
  f.advance(ClientConnection::CLOSED_LINGER);
  f.settle();
  CHECK(ended.poll(f.scope));
}

TEST_CASE("S01 clients with as many calls as each may have come to no more than all may hold") {
  ManyClients f;
  Client honest(f, "1002", 10);
  for (kj::uint i = 0; i < 10; i++) honest.call();
  constexpr kj::uint CLIENTS =
      CLIENTS_MOST_BYTES / (CLIENT_SHARE_CALLS * MessageGuard::WAITING_CALL_BYTES) + 2;
  for (kj::uint i = 0; i < CLIENTS; i++) f.add("1001", CLIENT_SHARE_CALLS);
  f.pass();
  CHECK(f.budget.total() <= CLIENTS_MOST_BYTES + CLIENTS * MessageBudget::LEAST_LOOK_BYTES);
  CHECK(f.isServed(honest, 10));
  kj::uint ended = 0;
  for (auto& client : f.greedy) {
    const bool isEnded = client->connection->onDisconnect().poll(f.scope);
    CHECK(isEnded == (client->connection->whyCut() != nullptr));
    ended += isEnded;
  }
  CHECK(ended > 0);
  CHECK(ended < CLIENTS / 2);
}

}  // namespace
}  // namespace bothy
