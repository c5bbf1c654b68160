// What becomes of a workspace that is hibernated, and of its memory.

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
    "S43 memory that is of another sleep, or of another host, is not used: the workspace starts "
    "from its disk") {
  PausedWorld w;
  w.hibernate();
  kj::StringPtr why;
  SECTION("another sleep") {
    KJ_ASSERT_NONNULL(w.volumes.memories.find(w.id)) -= 1;
    why = "the memory is of another sleep";
  }
  SECTION("it is gone") {
    w.volumes.memories.erase(w.id);
    why = "the memory is of another sleep";
  }
  SECTION("another QEMU") {
    w.driver.setMemoryFormat("another");
    why = "it is of (a fake, image ), and this host has (another, image )";
  }
  SECTION("libvirt cannot read it") {
    w.driver.restoreFailure = KJ_EXCEPTION(FAILED, "the stream is cut off");
    why = "the stream is cut off";
  }
  CHECK(w.resume().failure == nullptr);
  CHECK(w.demo->state() == WorkspaceState::RUNNING);
  CHECK(w.driver.startCount() == 2);
  CHECK(w.volumes.memories.size() == 0);
  bool isTold = false;
  for (auto& event : w.store->events(0, 100)) {
    if (event.cause != Cause::MEMORY_LOST) continue;
    isTold = true;
    CHECK(event.before == WorkspaceState::RESUMING);
    CHECK(event.after == WorkspaceState::STARTING);
    CHECK(says(event.detail, kj::str("its memory is lost, and it starts from its disk: ", why)));
  }
  CHECK(isTold);
  requireChain(w);
}

TEST_CASE("S43 who woke a workspace whose memory is lost is told of in each event of that") {
  PausedWorld w;
  CHECK(w.demo->hibernate("whoever hibernates").wait(w.scope).is<Workspace::Hibernated>());
  CHECK(w.store->events(0, 100).back().actor == "whoever hibernates");
  w.volumes.memories.erase(w.id);
  w.demo->resume(nullptr, "whoever wakes").wait(w.scope);
  auto events = w.store->events(0, 100);
  REQUIRE(events.size() >= 3);
  // To `resuming`, to `starting` and to `running`.
  for (auto& event : events.slice(events.size() - 3, events.size())) {
    INFO(toString(event.after).cStr());
    CHECK(event.actor == "whoever wakes");
  }
  CHECK(events.back().after == WorkspaceState::RUNNING);
}

TEST_CASE("P28 a hibernated workspace expires with its memory, and is made anew without it") {
  PausedWorld w;
  w.hibernate();
  const auto sleeps = w.demo->row().sleeps;
  w.volumes.failuresToDestroy = 1;
  auto expiring = w.demo->expire();
  w.settleUntil(WorkspaceState::EXPIRING);
  // From its first step on its memory is of use to nobody.
  CHECK((!w.demo->row().sleep.isThere() && w.demo->row().sleeps == sleeps + 1));
  if (GENERATE(false, true)) {
    expiring = nullptr;
    w.restartBothyd();
  }
  w.passUntil(WorkspaceState::EXPIRED);
  CHECK((w.volumes.memories.size() == 0 && w.volumes.count() == 0));
  CHECK(w.manager->capacity().used() == Demand());
  requireChain(w);
  CHECK(w.demo->start(nullptr).wait(w.scope).get<kj::Own<StartReport>>()->failure == nullptr);
  CHECK(w.driver.startCount() == 2);
  w.hibernate();
  CHECK(w.resume().failure == nullptr);
  CHECK(w.driver.startCount() == 2);
}

TEST_CASE("P58 a host that does not obey at the moment loses no memory") {
  PausedWorld w;
  w.hibernate();
  w.driver.restoreFailure = KJ_EXCEPTION(OVERLOADED, "libvirt does not answer");
  auto& report = w.resume();
  CHECK(says(KJ_ASSERT_NONNULL(report.failure).message, "libvirt does not answer"));
  CHECK(w.demo->state() == WorkspaceState::HIBERNATED);
  CHECK(w.stored() == WorkspaceState::HIBERNATED);
  CHECK(w.volumes.memories.size() == 1);
  CHECK(w.resume().failure == nullptr);
  CHECK(w.driver.startCount() == 1);
  CHECK(w.demo->state() == WorkspaceState::RUNNING);
}

TEST_CASE("P41 a hibernated workspace stays so over a restart of bothyd, and goes on after it") {
  PausedWorld w;
  w.hibernate();
  auto since = w.demo->view().sleep.sinceNanos;
  w.restartBothyd();
  CHECK(w.demo->state() == WorkspaceState::HIBERNATED);
  CHECK(w.demo->view().sleep.sinceNanos == since);
  CHECK(w.resume().failure == nullptr);
  CHECK(w.demo->state() == WorkspaceState::RUNNING);
  CHECK(w.driver.startCount() == 1);
}

TEST_CASE(
    "P41 a hibernation that a bothyd left goes on, with its machine or with what that has saved") {
  PausedWorld w;
  auto step = GENERATE("room"_kj, "lanes"_kj, "freeze"_kj, "halt"_kj, "save"_kj, "seal"_kj);
  INFO(step.cStr());
  const bool isSaved = GENERATE(false, true) || step == "seal";
  w.volumes.createMemory(w.id, 1 << 20, Secret(32)).wait(w.scope);
  w.leave("demo", OperationKind::HIBERNATE, step);
  if (isSaved) {
    w.driver.leave(w.id, true);
    w.driver.keepMemory(w.id, w.volumes.memoryPath(w.id));
  }
  w.restartBothyd();
  if (isSaved && step != "save" && step != "seal") {
    // Its machine has ended for another reason.
    w.passUntil(WorkspaceState::STOPPED);
    CHECK(w.lastCause() == Cause::RECOVERED);
    return;
  }
  w.passUntil(WorkspaceState::HIBERNATED);
  CHECK_FALSE(w.driver.isRunning(w.id));
  CHECK(w.resume().failure == nullptr);
  CHECK(w.driver.startCount() == 1);
}

TEST_CASE("S43 a wake that a bothyd left begins again before its memory is spent") {
  PausedWorld w;
  w.hibernate();
  auto step = GENERATE("clear"_kj, "lease"_kj, "check"_kj, "restore"_kj, "spend"_kj);
  INFO(step.cStr());
  w.leave("demo", OperationKind::WAKE, step);
  w.restartBothyd();
  w.passUntil(WorkspaceState::RUNNING);
  CHECK(w.driver.startCount() == 1);
  CHECK(w.volumes.memories.size() == 0);
}

TEST_CASE(
    "S43 a wake that a bothyd left goes on when its memory is spent, or it is lost with its "
    "machine") {
  PausedWorld w;
  w.hibernate();
  w.driver.changesHang = true;
  {
    // It goes on though its caller leaves.
    auto resuming = w.demo->resume(nullptr);
    for (int i = 0; i < 100000 && w.volumes.memories.size() > 0; i++) w.scope.poll(1);
    for (int i = 0; i < 1000; i++) w.scope.poll(1);
  }
  REQUIRE(w.volumes.memories.size() == 0);
  w.driver.changesHang = false;
  const bool isGone = GENERATE(false, true);
  if (isGone) w.driver.end(w.id, VmEnd::EXITED);
  w.restartBothyd();
  w.passUntil(WorkspaceState::RUNNING);
  CHECK(w.driver.startCount() == (isGone ? 2 : 1));
}

TEST_CASE("P45 a hibernated workspace is stopped and deleted, and its memory goes") {
  PausedWorld w;
  w.hibernate();
  SECTION("stopped") {
    CHECK(w.demo->stop(1000).wait(w.scope).is<StopKind>());
    CHECK(w.demo->state() == WorkspaceState::STOPPED);
    CHECK(w.volumes.memories.size() == 0);
    CHECK(w.demo->start(nullptr).wait(w.scope).is<kj::Own<StartReport>>());
    CHECK(w.driver.startCount() == 2);
  }
  SECTION("deleted") {
    w.demo->erase().wait(w.scope);
    CHECK(w.volumes.memories.size() == 0);
    CHECK(w.volumes.count() == 0);
  }
}

TEST_CASE("P45 a stop or a delete comes before the end of a hibernation and of a wake") {
  PausedWorld w;
  const bool isStop = GENERATE(true, false);
  const bool isWake = GENERATE(false, true);
  kj::Maybe<kj::Promise<Workspace::HibernateOutcome>> hibernating;
  kj::Maybe<kj::Promise<Workspace::StartOutcome>> waking;
  if (isWake) {
    w.hibernate();
    w.driver.restoresHang = true;
    waking = w.demo->resume(nullptr);
  } else {
    w.driver.savesHang = true;
    hibernating = w.demo->hibernate();
  }
  for (int i = 0; i < 1000; i++) w.scope.poll(1);
  CHECK(w.demo->state() == (isWake ? WorkspaceState::RESUMING : WorkspaceState::HIBERNATING));
  if (isStop) {
    auto stopping = w.demo->stop(1000);
    w.passUntil(stopping);
    CHECK(stopping.wait(w.scope).is<StopKind>());
    CHECK(w.demo->state() == WorkspaceState::STOPPED);
  } else {
    w.demo->erase().wait(w.scope);
  }
  CHECK(w.volumes.memories.size() == 0);
  CHECK_FALSE(w.driver.isRunning(w.id));
}

TEST_CASE(
    "P53 a hibernated workspace goes on only where the host has its memory and processors left") {
  PausedWorld w;
  w.hibernate();
  CapacityPolicy policy;
  policy.memoryMib = 100;
  w.limits.capacity = policy;
  w.restartBothyd();
  auto outcome = w.demo->resume(nullptr).wait(w.scope);
  CHECK(outcome.get<Shortage>().what == Resource::MEMORY);
  CHECK(w.demo->state() == WorkspaceState::HIBERNATED);
}

}  // namespace
}  // namespace bothy
