#include "output/output-budget.h"

#include <kj/vector.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr size_t KIB = 1024;
constexpr OutputRing::Sizes SIZES = {16 * KIB, 256 * KIB};

struct World {
  explicit World(size_t bytes) : budget(bytes) {}
  OutputBudget budget;
  kj::Vector<kj::Own<OutputRing>> rings;

  OutputRing& add(size_t bytes) {
    auto& ring = *rings.add(kj::heap<OutputRing>(budget, SIZES));
    append(ring, bytes);
    return ring;
  }
  OutputRing& addWatched(size_t bytes) {
    auto& ring = add(0);
    ring.setWatched(true);
    append(ring, bytes);
    return ring;
  }
  static void append(OutputRing& ring, size_t bytes) {
    ring.append(kj::heapArray<kj::byte>(bytes));
  }
};

TEST_CASE("S42 rings have together what the budget gives, and none of them nothing") {
  World w(512 * KIB);
  for (int i = 0; i < 32; i++) {
    w.add(300 * KIB);
    CHECK(w.budget.held() <= 512 * KIB);
  }
  for (auto& ring : w.rings) {
    CHECK(ring->size() >= SIZES.least);
    CHECK(ring->end() - ring->begin() >= SIZES.least);
  }
  w.rings.clear();
  CHECK(w.budget.held() == 0);
}

TEST_CASE("S42 the largest ring gives way first, and knows how much it has lost") {
  World w(512 * KIB);
  auto& large = w.add(250 * KIB);
  auto& middle = w.add(120 * KIB);
  auto& small = w.add(60 * KIB);
  auto& other = w.add(60 * KIB);
  CHECK(w.budget.held() == 512 * KIB);
  World::append(small, 60 * KIB);
  CHECK(small.size() == 128 * KIB);
  CHECK(large.size() == 128 * KIB);
  CHECK(large.end() - large.begin() == 128 * KIB);
  CHECK(middle.begin() == 0);
  CHECK(other.begin() == 0);
  // Nobody has twice as much as it would have: what it loses is its own.
  World::append(small, 200 * KIB);
  CHECK(small.size() == 128 * KIB);
  CHECK(large.size() == 128 * KIB);
  // With room again it may have more.
  w.rings.removeLast();
  World::append(small, 200 * KIB);
  CHECK(small.size() == 256 * KIB);
  CHECK(large.size() == 128 * KIB);
}

TEST_CASE("S42 P01 a terminal that somebody looks at gives way after all that nobody looks at") {
  World w(512 * KIB);
  auto& seen = w.addWatched(250 * KIB);
  auto& unseen = w.add(250 * KIB);
  CHECK(w.budget.held() == 512 * KIB);
  auto& next = w.add(100 * KIB);
  CHECK(seen.size() == 256 * KIB);
  CHECK(unseen.size() == 128 * KIB);
  CHECK(next.size() == 128 * KIB);
  auto& secondSeen = w.addWatched(200 * KIB);
  CHECK(seen.size() == 256 * KIB);
  CHECK(unseen.size() == 64 * KIB);
  CHECK(next.size() == 64 * KIB);
  CHECK(secondSeen.size() == 128 * KIB);
  // One that nobody looks at has its part of what those have at whom nobody looks.
  auto& last = w.add(100 * KIB);
  CHECK(last.size() == 32 * KIB);
  CHECK(seen.size() == 256 * KIB);
  CHECK(secondSeen.size() == 128 * KIB);
  // Where they have no more than their least, the largest that is looked at gives way.
  auto& thirdSeen = w.addWatched(100 * KIB);
  CHECK(thirdSeen.size() == 128 * KIB);
  for (auto ring : {&unseen, &next, &last}) CHECK(ring->size() == SIZES.least);
  CHECK(seen.size() == 128 * KIB);
  CHECK(secondSeen.size() == 128 * KIB);
  CHECK(w.budget.held() <= 512 * KIB);
}

TEST_CASE("S42 a ring that cannot have more looks for room again when something was given back") {
  World w(512 * KIB);
  auto& seen = w.addWatched(250 * KIB);
  auto& ring = w.add(120 * KIB);
  auto& small = w.add(60 * KIB);
  auto other = kj::heap<OutputRing>(w.budget, SIZES);
  World::append(*other, 64 * KIB);
  REQUIRE(w.budget.held() == 512 * KIB);
  World::append(small, 256 * KIB);
  const auto size = small.size();
  REQUIRE(size == 64 * KIB);
  auto isDenied = [&](OutputRing& ring) {
    const auto before = w.budget.searches();
    for (int i = 0; i < 100; i++) {
      CHECK(ring.makeRoomAfter(0, KIB) == 0);
      World::append(ring, 1);
    }
    return w.budget.searches() == before;
  };
  REQUIRE(isDenied(small));
  SECTION("by a ring that goes") {
    other = nullptr;
    World::append(small, 1);
    CHECK(small.size() > size);
  }
  SECTION("by one that is dropped") {
    ring.drop();
    World::append(small, 1);
    CHECK(small.size() > size);
  }
  SECTION("by one that nobody watches any more") {
    seen.setWatched(false);
    World::append(small, 1);
    CHECK(small.size() > size);
  }
  SECTION("or when somebody watches it") {
    small.setWatched(true);
    World::append(small, 1);
    CHECK(small.size() > size);
  }
}

TEST_CASE(
    "S42 screens have a part of the budget, for which rings give way, and no one takes it all") {
  World w(512 * KIB);
  w.add(250 * KIB);
  w.add(250 * KIB);
  CHECK_FALSE(w.budget.takeForScreen(33 * KIB));
  size_t large = 0, small = 0;
  while (w.budget.takeForScreen(8 * KIB)) large++;
  while (w.budget.takeForScreen(1 * KIB)) small++;
  CHECK(large > 8);
  CHECK(small > 8);
  CHECK(large * 8 + small <= 512 / OutputBudget::SCREENS_PART);
  CHECK(w.budget.held() <= 512 * KIB);
  w.budget.giveBackOfScreen((large * 8 + small) * KIB);
  CHECK(w.budget.takeForScreen(32 * KIB));
}

TEST_CASE("S42 a screen that becomes no larger stays, whatever others have taken meanwhile") {
  World w(512 * KIB);
  REQUIRE(w.budget.takeForScreen(32 * KIB));
  while (w.budget.takeForScreen(1 * KIB)) {
  }
  REQUIRE_FALSE(w.budget.takeForScreen(8 * KIB));
  const auto held = w.budget.held();
  CHECK(w.budget.changeForScreen(32 * KIB, 31 * KIB));
  CHECK(w.budget.held() == held - KIB);
  CHECK(w.budget.changeForScreen(31 * KIB, 31 * KIB));
  // Refused: it has nothing.
  CHECK_FALSE(w.budget.changeForScreen(31 * KIB, 32 * KIB));
  CHECK(w.budget.held() == held - 32 * KIB);
}

TEST_CASE("what the agent keeps of outputs is a part of a machine's memory, and enough") {
  constexpr size_t MIB = 1024 * KIB;
  CHECK(outputBytesOf(128 * MIB) == LEAST_OUTPUT_BYTES);
  CHECK(outputBytesOf(1024 * MIB) == 32 * MIB);
  CHECK(outputBytesOf(64 * 1024 * MIB) == 128 * MIB);
}

}  // namespace
}  // namespace bothy
