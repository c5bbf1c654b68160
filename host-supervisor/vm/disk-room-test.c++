#include "vm/disk-room.h"

#include <kj/debug.h>
#include <kj/map.h>
#include <kj/vector.h>
#include <catch2/catch_test_macros.hpp>

#include "support/log-record.h"

namespace bothy {
namespace {

constexpr uint64_t ROOM = DiskRoom::ROOM_BYTES;

// File systems by the first letter of a path, and machines that wait for room on them.
struct World {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  kj::HashMap<char, uint64_t> freeBytes;
  kj::uint measures = 0;
  kj::Vector<kj::String> wentOn;
  DiskRoom room{timer, [this](kj::StringPtr path) -> kj::Maybe<DiskRoom::Space> {
                  ++measures;
                  KJ_REQUIRE(path[0] != 'x', "the file system does not obey");
                  KJ_IF_MAYBE (bytes, freeBytes.find(path[0])) {
                    return DiskRoom::Space{static_cast<uint64_t>(path[0]), *bytes};
                  }
                  return nullptr;
                }};

  kj::Promise<void> waitFor(kj::StringPtr disk) {
    return room.whenFree(disk)
        .then([this, disk = kj::str(disk)]() mutable { wentOn.add(kj::mv(disk)); })
        .eagerlyEvaluate(nullptr);
  }
  // Who went on in the next second.
  kj::String next() {
    scope.poll();
    timer.advanceTo(timer.now() + 1 * kj::SECONDS);
    scope.poll();
    auto result = kj::strArray(wentOn, " ");
    wentOn.clear();
    return result;
  }
};

TEST_CASE("P28 machines that wait for room go on one after the other, each with room of its own") {
  World w;
  kj::Vector<kj::Promise<void>> waiting;
  for (auto disk : {"a1", "b1", "a2", "a3", "c1"}) waiting.add(w.waitFor(disk));
  w.freeBytes.insert('a', ROOM - 1);
  w.freeBytes.insert('b', 0);
  CHECK(w.next() == "");
  w.freeBytes.upsert('a', ROOM);
  CHECK(w.next() == "a1");
  CHECK(w.next() == "a2");
  w.freeBytes.upsert('b', ROOM);
  CHECK(w.next() == "b1 a3");
}

TEST_CASE("P28 where there is room for all that wait, all go on at once") {
  World w;
  kj::Vector<kj::Promise<void>> waiting;
  for (auto disk : {"a1", "a2", "a3"}) waiting.add(w.waitFor(disk));
  w.freeBytes.insert('a', 3 * ROOM);
  CHECK(w.next() == "a1 a2 a3");
}

TEST_CASE("who does not wait any more takes no room, and where nobody waits nothing is watched") {
  World w;
  w.freeBytes.insert('a', ROOM);
  kj::Promise<void> kept = nullptr;
  {
    auto dropped = w.waitFor("a1");
    kept = w.waitFor("a2");
  }
  CHECK(w.next() == "a2");
  CHECK(w.measures == 1);
  for (int i = 0; i < 10; i++) CHECK(w.next() == "");
  CHECK(w.measures == 1);
  auto later = w.waitFor("a3");
  CHECK(w.next() == "a3");
}

TEST_CASE("P28 a disk whose room cannot be found holds up no other, and is looked at again") {
  World w;
  w.freeBytes.insert('a', 2 * ROOM);
  auto first = w.waitFor("x1");
  auto second = w.waitFor("a1");
  CHECK(w.next() == "a1");
  auto third = w.waitFor("a2");
  CHECK(w.next() == "a2");
  CHECK(w.measures == 4);
}

TEST_CASE("P28 that a disk's room cannot be found is told once to each who waits") {
  World w;
  LogRecord log;
  auto first = w.waitFor("x1");
  for (int i = 0; i < 10; i++) CHECK(w.next() == "");
  CHECK(log.lines.size() == 1);
  auto second = w.waitFor("x2");
  for (int i = 0; i < 10; i++) CHECK(w.next() == "");
  CHECK(log.lines.size() == 2);
}

TEST_CASE("the room of a real disk is found, and that of one that is not there is none") {
  CHECK(KJ_ASSERT_NONNULL(DiskRoom::measure("/proc/self")).freeBytes == 0);
  CHECK(DiskRoom::measure("/nothing") == nullptr);
}

}  // namespace
}  // namespace bothy
