#include "output/output-ring.h"

#include <kj/string.h>
#include <catch2/catch_test_macros.hpp>

#include "output/output-budget.h"

namespace bothy {
namespace {

constexpr OutputRing::Sizes SIZES = {4096, 16384};

void append(OutputRing& ring, size_t size) {
  ring.append(kj::heapArray<kj::byte>(size));
}

TEST_CASE("a reader of an output reads from any place, and a loss has a size") {
  OutputBudget budget(LEAST_OUTPUT_BYTES);
  OutputRing ring(budget, SIZES);
  ring.append("one two "_kj.asBytes());
  OutputReader first(0), second(4);
  kj::byte buffer[4];
  first.read(ring, buffer);
  CHECK(kj::heapString(kj::arrayPtr(buffer, 4).asChars()) == "one ");
  second.read(ring, buffer);
  CHECK(kj::heapString(kj::arrayPtr(buffer, 4).asChars()) == "two ");
  CHECK(first.ready(ring, 100) == 4);
  CHECK(second.ready(ring, 100) == 0);
  append(ring, 16384);
  CHECK(ring.begin() == 8);
  CHECK_FALSE(second.hasLost(ring));
  REQUIRE(first.hasLost(ring));
  CHECK(first.skipTo(ring.begin()) == 4);
  CHECK(first.position() == second.position());
}

TEST_CASE("a ring says how much may come without a loss of what is behind a place") {
  OutputBudget budget(LEAST_OUTPUT_BYTES);
  OutputRing ring(budget, SIZES);
  CHECK(ring.makeRoomAfter(0, 1000) == 1000);
  append(ring, 10000);
  CHECK(ring.makeRoomAfter(0, 6000) == 6000);
  CHECK(ring.makeRoomAfter(0, 10000) == 16384 - 10000);
  CHECK(ring.makeRoomAfter(9000, 10000) == 10000);
  append(ring, 20000);
  CHECK(ring.makeRoomAfter(0, 1) == 0);
  CHECK(ring.makeRoomAfter(ring.end(), 100000) == 16384);
}

TEST_CASE("a ring that was dropped counts what comes, and takes nothing of the budget") {
  OutputBudget budget(LEAST_OUTPUT_BYTES);
  OutputRing ring(budget, SIZES);
  append(ring, 10000);
  CHECK(budget.held() == 16384);
  ring.drop();
  CHECK(budget.held() == 0);
  append(ring, 10);
  CHECK(ring.begin() == 10010);
  CHECK(ring.end() == 10010);
  ring.drop();
  CHECK(ring.end() == 10010);
}

}  // namespace
}  // namespace bothy
