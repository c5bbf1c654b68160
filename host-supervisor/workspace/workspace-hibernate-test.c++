// Hibernations, and what becomes of them.

#include <string.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "workspace/test-paused-world.h"

namespace bothy {
namespace {

bool says(kj::StringPtr text, kj::StringPtr part) {
  UNSCOPED_INFO(text.cStr());
  return strstr(text.cStr(), part.cStr()) != nullptr;
}

TEST_CASE(
    "P44 P58 a workspace that is hibernated has no machine and no lease, and goes on with its "
    "boot") {
  PausedWorld w;
  const bool isPaused = GENERATE(false, true);
  if (isPaused) w.pause();
  auto boot = kj::heapArray<kj::byte>(w.driver.spec(w.id).secret);
  w.hibernate();
  CHECK(w.stored() == WorkspaceState::HIBERNATED);
  CHECK_FALSE(w.driver.isRunning(w.id));
  CHECK(w.demo->machineRow() == nullptr);
  CHECK(w.volumes.owner(w.id) == 0);
  CHECK(w.manager->capacity().used().memoryMib == 0);
  auto view = w.demo->view();
  CHECK(view.sleep.sinceNanos == nanosOf(w.clock.time));
  CHECK(view.sleep.bytes == 20 << 20);
  CHECK(w.isFrozen);
  CHECK(says(w.lastDetail(), "its memory has 20 MiB on the disk"));

  w.clock.time += 90 * kj::SECONDS;
  CHECK(w.resume().failure == nullptr);
  CHECK(w.demo->state() == WorkspaceState::RUNNING);
  CHECK(w.stored() == WorkspaceState::RUNNING);
  CHECK_FALSE(w.driver.isPaused(w.id));
  CHECK(w.driver.spec(w.id).secret == boot);
  CHECK(w.driver.startCount() == 1);
  CHECK(w.volumes.memories.size() == 0);
  CHECK(w.demo->view().sleep.sinceNanos == 0);
  CHECK_FALSE(w.isFrozen);
  REQUIRE(w.seeds.size() >= 1);
  CHECK(w.seeds.back().size() == 64);
  CHECK(says(w.lastDetail(), "it was hibernated for 90.000 s"));
  CHECK(says(w.lastDetail(),
             "its clock was 181.200 s behind, its randomness was seeded anew, and its "
             "programs stood still until then"));
  requireChain(w);
  KJ_ASSERT_NONNULL(w.demo->machine())->control().wait(w.scope);
  // Again, with another seed.
  auto first = kj::heapArray<kj::byte>(w.seeds.back());
  w.hibernate();
  w.resume();
  CHECK(w.seeds.back() != first);
}

TEST_CASE("P58 all who ask at once are answered by one hibernation, and by one wake") {
  PausedWorld w;
  auto one = w.demo->hibernate();
  auto other = w.demo->hibernate();
  CHECK(one.wait(w.scope).is<Workspace::Hibernated>());
  CHECK(other.wait(w.scope).is<Workspace::Hibernated>());
  CHECK(w.demo->hibernate().wait(w.scope).is<Workspace::Hibernated>());
  CHECK(w.driver.saves == 1);
  auto resumed = w.demo->whenResumed();
  CHECK_FALSE(resumed.poll(w.scope));
  auto first = w.demo->wake(nullptr), second = w.demo->start(nullptr);
  CHECK(first.wait(w.scope).is<kj::Own<StartReport>>());
  CHECK(second.wait(w.scope).is<kj::Own<StartReport>>());
  resumed.wait(w.scope);
  CHECK(w.driver.restores == 1);
}

TEST_CASE("P58 who wakes one that is just being hibernated has it when it is") {
  PausedWorld w;
  auto hibernating = w.demo->hibernate();
  w.settleUntil(WorkspaceState::HIBERNATING);
  CHECK(w.demo->pause().wait(w.scope).is<Busy>());
  auto woken = w.demo->wake(nullptr);
  CHECK(hibernating.wait(w.scope).is<Workspace::Hibernated>());
  CHECK(woken.wait(w.scope).is<kj::Own<StartReport>>());
  CHECK(w.demo->state() == WorkspaceState::RUNNING);
}

TEST_CASE("P53 a disk without room for the memory refuses, with the figures, and nothing is done") {
  PausedWorld w;
  w.volumes.free = 100 << 20;
  auto outcome = w.demo->hibernate().wait(w.scope);
  auto& shortage = outcome.get<Shortage>();
  CHECK(shortage.what == Resource::DISK);
  CHECK(shortage.asked == 552);
  CHECK(says(shortage.why, "552 MiB are to be written at once"));
  CHECK(w.demo->state() == WorkspaceState::RUNNING);
  CHECK(w.driver.pauses == 0);
}

TEST_CASE("P58 a hibernation that comes to nothing leaves what there was, and says why") {
  PausedWorld w;
  const bool wasPaused = GENERATE(false, true);
  if (wasPaused) w.pause();
  auto refused = [&]() {
    auto hibernating = w.demo->hibernate();
    w.passUntil(hibernating);
    auto outcome = hibernating.wait(w.scope);
    auto& failure = outcome.get<Workspace::NotHibernated>();
    CHECK(says(w.lastDetail(), "it could not be hibernated: "));
    CHECK(w.volumes.memories.size() == 0);
    CHECK(w.demo->state() == w.stored());
    CHECK_FALSE(w.isFrozen);
    CHECK(w.demo->state() == (wasPaused ? WorkspaceState::PAUSED : WorkspaceState::RUNNING));
    CHECK(w.driver.isPaused(w.id) == wasPaused);
    return kj::mv(failure);
  };
  SECTION("the disk is full after all") {
    w.volumes.hidesFree = true;
    w.volumes.isFull = true;
    CHECK(refused().noSpace);
  }
  SECTION("its image went away") {
    w.images.isInstalled = false;
    CHECK(says(refused().why, "is not installed any more"));
  }
  SECTION("its programs do not stand still") {
    w.freezes = false;
    CHECK(says(refused().why, "its programs do not stand still"));
  }
  SECTION("its memory cannot be saved") {
    w.driver.savesToFail = 1;
    CHECK(says(refused().why, "the machine is not saved"));
    if (!wasPaused) KJ_ASSERT_NONNULL(w.demo->machine())->control().wait(w.scope);
  }
}

TEST_CASE("P58 only what runs or is paused is hibernated") {
  PausedWorld w;
  w.demo->stop(1000).wait(w.scope);
  CHECK(w.demo->hibernate().wait(w.scope).get<Busy>().state == WorkspaceState::STOPPED);
}

}  // namespace
}  // namespace bothy
