#include "loop/slots.h"

#include <kj/vector.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

struct Room {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  Slots slots{2};

  kj::Own<Slots::Slot> enter() { return slots.take().wait(scope); }
};

TEST_CASE("so many enter at once, and the next when one has left") {
  Room room;
  auto first = room.enter(), second = room.enter();
  auto third = room.slots.take(), fourth = room.slots.take();
  CHECK_FALSE(third.poll(room.scope));
  first = nullptr;
  CHECK(third.poll(room.scope));
  CHECK_FALSE(fourth.poll(room.scope));
  second = nullptr;
  CHECK(fourth.poll(room.scope));
}

TEST_CASE("who does not wait any more takes no slot") {
  Room room;
  auto first = room.enter(), second = room.enter();
  kj::Vector<kj::Promise<kj::Own<Slots::Slot>>> impatient;
  for (int i = 0; i < 100; i++) impatient.add(room.slots.take());
  auto last = room.slots.take();
  impatient.clear();
  first = nullptr;
  CHECK(last.poll(room.scope));
  // Also of a slot that was given, and not yet taken.
  last = nullptr;
  first = room.enter();
}

}  // namespace
}  // namespace bothy
