// How many lanes a client may hold.

#include <catch2/catch_test_macros.hpp>

#include "control/lane-keeper.h"
#include "control/socket-peer.h"
#include "control/supervisor-fixture.h"

namespace bothy {
namespace {

TEST_CASE("S01 a client holds only so many lanes, those that have ended among them") {
  Fixture f;
  f.create("demo").wait(f.scope);
  kj::Vector<rpc::Lane::Client> lanes;
  for (kj::uint i = 0; i < MAX_HELD_LANES; i++) {
    lanes.add(f.connect("demo").wait(f.scope).getLane());
    f.served.clear();
  }
  CHECK(f.connect("demo")
            .then([](auto&&) { return false; },
                  [](kj::Exception&& e) { return e.getType() == kj::Exception::Type::OVERLOADED; })
            .wait(f.scope));
  lanes.removeLast();
  f.settle();
  CHECK(f.connect("demo").wait(f.scope).getOutcome().isConnected());
}

TEST_CASE("S01 lanes that are under way count among those that a client holds") {
  Fixture f;
  f.create("demo").wait(f.scope);
  constexpr kj::uint UNDER_WAY = 4, BEYOND = 3;
  kj::Vector<rpc::Lane::Client> lanes;
  while (lanes.size() < MAX_HELD_LANES - UNDER_WAY) {
    lanes.add(f.connect("demo").wait(f.scope).getLane());
  }
  f.holdsDials = true;
  kj::uint refused = 0;
  kj::Vector<kj::Promise<void>> connects;
  for (kj::uint i = 0; i < UNDER_WAY + BEYOND; i++) {
    connects.add(f.connect("demo").ignoreResult().eagerlyEvaluate([&refused](kj::Exception&& e) {
      if (e.getType() == kj::Exception::Type::OVERLOADED) ++refused;
    }));
  }
  f.settle();
  CHECK(refused == BEYOND);
  f.letDialsGo();
  kj::joinPromises(connects.releaseAsArray()).wait(f.scope);
  CHECK(refused == BEYOND);
}

TEST_CASE("S01 a lane that is being closed counts among those that its client holds") {
  Fixture f;
  f.create("demo").wait(f.scope);
  f.keepsLanes = true;
  kj::Vector<rpc::Lane::Client> lanes;
  for (kj::uint i = 0; i < MAX_HELD_LANES; i++) {
    lanes.add(f.connect("demo").wait(f.scope).getLane());
  }
  lanes.clear();
  f.settle();
  // None was heard of: the agent is asked for all.
  f.advance(1 * kj::SECONDS);
  f.settle();
  REQUIRE(f.endedLanes.size() == MAX_HELD_LANES);
  auto isRefused = [&]() {
    return f.connect("demo")
        .then([](auto&&) { return false; },
              [](kj::Exception&& e) { return e.getType() == kj::Exception::Type::OVERLOADED; })
        .wait(f.scope);
  };
  CHECK(isRefused());
  f.keptLanes.clear();
  for (int i = 0; i < 3; i++) {
    f.advance(1 * kj::SECONDS);
    f.settle();
  }
  CHECK_FALSE(isRefused());
}

TEST_CASE(
    "S01 a lane of the kernel's vsock that the agent has closed is its client's no longer than "
    "held") {
  Fixture f;
  f.create("demo").wait(f.scope);
  // As little can be told of the other end.
  auto& network = f.io.provider->getNetwork();
  auto receiver = network.parseAddress("127.0.0.1").wait(f.scope)->listen();
  auto accepting = receiver->accept();
  auto dialled =
      network.parseAddress("127.0.0.1", receiver->getPort()).wait(f.scope)->connect().wait(f.scope);
  auto theirs = accepting.wait(f.scope);
  REQUIRE(peerOf(KJ_ASSERT_NONNULL(dialled->getFd())) == SocketPeer::UNTELLABLE);

  const ClientIdentity client{7, 0, 0, 0};
  kj::Vector<kj::Own<LaneKeeper::Place>> others;
  for (kj::uint i = 1; i < MAX_HELD_LANES; i++) others.add(f.lanes.requireRoom(client));
  LaneGrant grant;
  grant.lane = 1000;
  kj::Maybe<rpc::Lane::Client> lane =
      f.lanes.keep({kj::mv(grant), kj::mv(dialled)}, KJ_ASSERT_NONNULL(f.find("demo")->machine()),
                   {client, f.lanes.requireRoom(client)});
  auto isFull = [&]() {
    return kj::runCatchingExceptions([&]() { f.lanes.requireRoom(client); }) != nullptr;
  };
  auto pass = [&](kj::Duration time) {
    f.advance(time);
    f.settle();
  };
  kj::Maybe<kj::Promise<void>> ending =
      KJ_ASSERT_NONNULL(lane).whenEndedRequest().send().ignoreResult();
  auto hasEnded = [&]() { return KJ_ASSERT_NONNULL(ending).poll(f.scope); };
  theirs = nullptr;
  for (int i = 0; i < 3000 && !hasEnded(); i++) {
    f.io.provider->getTimer().afterDelay(10 * kj::MILLISECONDS).wait(f.scope);
    pass(10 * kj::MILLISECONDS);
  }
  REQUIRE(hasEnded());
  for (int i = 0; i < 3; i++) pass(1 * kj::SECONDS);
  CHECK(isFull());
  ending = nullptr;
  lane = nullptr;
  pass(0 * kj::SECONDS);
  CHECK_FALSE(isFull());
}

}  // namespace
}  // namespace bothy
