// How many lanes a client may hold.

#include <catch2/catch_test_macros.hpp>

#include "control/lane-keeper.h"
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

}  // namespace
}  // namespace bothy
