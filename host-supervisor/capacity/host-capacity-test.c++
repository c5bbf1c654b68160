#include "capacity/host-capacity.h"

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

CapacityPolicy policy() {
  return {4096, 4, 10000, 256};
}

TEST_CASE("P28 what a workspace takes counts once, and is given back once") {
  HostCapacity capacity(policy());
  {
    HostCapacity::Share one(capacity, {1024, 1, 2000});
    HostCapacity::Share other(capacity);
    CHECK(other.tryChange({2048, 2, 4000}) == nullptr);
    CHECK(other.tryChange({2048, 2, 4000}) == nullptr);
    CHECK(capacity.used() == Demand{3072, 3, 6000});
    other.change({512, 1, 4000});
    CHECK(capacity.used() == Demand{1536, 2, 6000});
    capacity.add({0, 0, 1000});
    CHECK(capacity.used() == Demand{1536, 2, 7000});
    capacity.remove({0, 0, 1000});
  }
  CHECK(capacity.used() == Demand{});
  CHECK_THROWS(capacity.remove({1, 0, 0}));
}

TEST_CASE("P53 what does not fit is refused with what is short, and nothing is taken") {
  HostCapacity capacity(policy());
  HostCapacity::Share one(capacity, {3072, 3, 9000});
  HostCapacity::Share other(capacity);
  auto memory = KJ_ASSERT_NONNULL(other.tryChange({2048, 1, 100}));
  CHECK((memory.what == Resource::MEMORY && memory.asked == 2048 && memory.free == 1024));
  CHECK(memory.why ==
        "the host has too little memory left: 2048 MiB are asked for, and 1024 of 4096 MiB are "
        "free; stop a workspace, take one with less memory, or raise memory-overcommit of bothyd");
  auto cpus = KJ_ASSERT_NONNULL(other.tryChange({1024, 2, 100}));
  CHECK((cpus.what == Resource::CPUS && cpus.asked == 2 && cpus.free == 1));
  auto disk = KJ_ASSERT_NONNULL(other.tryChange({0, 0, 1001}));
  CHECK((disk.what == Resource::DISK && disk.asked == 1001 && disk.free == 1000));
  CHECK(capacity.used() == Demand{3072, 3, 9000});
  CHECK(other.tryChange({1024, 1, 1000}) == nullptr);
  CHECK(KJ_ASSERT_NONNULL(other.tryChange({1025, 1, 1000})).free == 1024);
}

TEST_CASE("what runs already counts though it does not fit, and keeps what it has") {
  HostCapacity capacity(policy());
  HostCapacity::Share one(capacity, {8192, 8, 20000});
  HostCapacity::Share other(capacity);
  CHECK(KJ_ASSERT_NONNULL(other.tryChange({1, 0, 0})).free == 0);
  CHECK(one.tryChange({8192, 7, 20000}) == nullptr);
  CHECK(KJ_ASSERT_NONNULL(one.tryChange({8193, 7, 20000})).free == 4096);
}

TEST_CASE("P44 a host's disk without room is a shortage of disk") {
  HostCapacity capacity(policy());
  CHECK(capacity.shortageOfRoom(256) == nullptr);
  auto shortage = KJ_ASSERT_NONNULL(capacity.shortageOfRoom(255));
  CHECK((shortage.what == Resource::DISK && shortage.asked == 256 && shortage.free == 255));
  CHECK(shortage.why ==
        "the host's disk is full: 255 MiB are free, and 256 MiB must stay so; make room, or lower "
        "disk-reserve of bothyd");
}

}  // namespace
}  // namespace bothy
