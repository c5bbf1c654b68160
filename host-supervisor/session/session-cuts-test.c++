#include "session/session-cuts.h"

#include <string.h>

#include <catch2/generators/catch_generators.hpp>

#include "session/test-sessions.h"

namespace bothy {
namespace {

// A machine that an earlier bothyd has started, and a session that it has made.
struct Adopted: public TestSessions {
  kj::String id;
  kj::String vm;

  Adopted() {
    manager->create(request("demo"), nullptr).wait(scope);
    vm = kj::str(find("demo")->row().id);
    id = kj::str(made(ask("demo")).session->row().id);
    restart();
    settle();
  }
  kj::Own<Session> session() { return KJ_ASSERT_NONNULL(sessions->list().find(id)); }
};

TEST_CASE(
    "P54 an agent's word that it has closed what an earlier bothyd has granted is not believed: "
    "the vsock device is replaced") {
  Adopted w;
  w.answersEndLanes = GENERATE(true, false);
  INFO(w.answersEndLanes);
  auto session = w.session();
  auto revoking = w.sessions->revoke(session->addRef());
  w.pass(100 * kj::MILLISECONDS);
  REQUIRE(w.endedSessions.size() == 1);
  CHECK(w.endedSessions[0] == session->laneName());
  CHECK(w.driver.renewals == 1);
  CHECK(session->end() == SessionEnd::REVOKED);
  CHECK(w.storedSessions() == 1);
  CHECK_FALSE(revoking.poll(w.scope));
  w.driver.loseVsock(w.vm);
  w.pass(100 * kj::MILLISECONDS);
  CHECK(revoking.wait(w.scope));
  w.settle();
  CHECK(w.storedSessions() == 0);
}

TEST_CASE("P54 the device is replaced once for all sessions of an earlier bothyd") {
  Adopted w;
  w.driver.renewsAtOnce = true;
  auto other = kj::str(w.made(w.ask("demo")).session->row().id);
  w.restart();
  w.settle();
  for (auto& id : {kj::str(w.id), kj::str(other)}) {
    auto session = KJ_ASSERT_NONNULL(w.sessions->list().find(id));
    auto revoking = w.sessions->revoke(kj::mv(session));
    w.pass(100 * kj::MILLISECONDS);
    CHECK(revoking.wait(w.scope));
    CHECK(w.driver.renewals == 1);
  }
}

TEST_CASE("P54 with the kernel's vsock, which has no device, the agent's word does") {
  Adopted w;
  w.driver.keepsStreams = true;
  w.answersEndLanes = false;
  auto session = w.session();
  auto revoking = w.sessions->revoke(session->addRef());
  w.pass(SESSION_REVOKE_PATIENCE);
  CHECK_FALSE(revoking.wait(w.scope));
  CHECK(session->hindrance() == "the agent does not answer");
  CHECK(w.storedSessions() == 1);
  w.answersEndLanes = true;
  auto again = w.sessions->revoke(session->addRef());
  w.pass(2 * kj::SECONDS);
  CHECK(again.wait(w.scope));
  CHECK(w.driver.renewals == 0);
  w.settle();
  CHECK(w.storedSessions() == 0);
}

TEST_CASE("a revocation whose lanes cannot be cut says so in time, and goes on") {
  Adopted w;
  w.answersEndLanes = false;
  auto session = w.session();
  auto revoking = w.sessions->revoke(session->addRef());
  w.pass(SESSION_REVOKE_PATIENCE);
  CHECK_FALSE(revoking.wait(w.scope));
  CHECK(session->hindrance() == "the machine's vsock device is not replaced yet");
  CHECK(w.sessions->mayHaveUncut(w.vm));
  CHECK(w.driver.renewals > 0);
  // Each that asks again waits for the same.
  auto again = w.sessions->revoke(session->addRef());
  w.driver.loseVsock(w.vm);
  w.pass(2 * kj::SECONDS);
  CHECK(again.wait(w.scope));
  CHECK_FALSE(w.sessions->mayHaveUncut(w.vm));
}

TEST_CASE(
    "a machine whose lanes are all this bothyd's keeps its vsock device, whatever its agent does") {
  TestSessions w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  w.answersEndLanes = false;
  auto made = w.made(w.ask("demo"));
  CHECK(w.sessions->revoke(made.session->addRef()).wait(w.scope));
  w.pass(1 * kj::SECONDS);
  CHECK(w.endedSessions.size() == 1);
  CHECK(w.driver.renewals == 0);
}

TEST_CASE("a device that was replaced since the restart has no lanes of an earlier bothyd") {
  Adopted w;
  w.driver.loseVsock(w.vm);
  w.driver.restoreVsock(w.vm);
  w.settle();
  w.answersEndLanes = false;
  CHECK(w.sessions->revoke(w.session()).wait(w.scope));
  w.pass(2 * kj::SECONDS);
  CHECK(w.driver.renewals == 0);
}

TEST_CASE("P54 R20 a session whose lanes were not cut when bothyd was killed is cut by the next") {
  Adopted w;
  w.answersEndLanes = false;
  {
    auto revoking = w.sessions->revoke(w.session());
    w.settle();
  }
  CHECK(w.storedSessions() == 1);
  w.endedSessions.clear();
  w.answersEndLanes = true;
  w.driver.renewsAtOnce = true;
  w.restart();
  w.pass(1 * kj::SECONDS);
  CHECK(w.endedSessions.size() == 1);
  CHECK(w.storedSessions() == 0);
}

TEST_CASE(
    "P54 a session of a machine that cannot be reached is cut when it is, before anybody gets a "
    "lane") {
  Adopted w;
  w.sessions = nullptr;
  w.driver.failAdoptions(KJ_EXCEPTION(FAILED, "libvirt is away"));
  w.restart();
  auto session = w.session();
  auto revoking = w.sessions->revoke(session->addRef());
  w.pass(SESSION_REVOKE_PATIENCE);
  CHECK_FALSE(revoking.wait(w.scope));
  INFO(session->hindrance().cStr());
  CHECK(strstr(session->hindrance().cStr(), "libvirt is away") != nullptr);
  CHECK(w.endedSessions.size() == 0);
  CHECK(w.sessions->mayHaveUncut(w.vm));
  auto uncut = w.sessions->remainUncut(w.vm);
  CHECK_FALSE(uncut.poll(w.scope));
  w.driver.allowAdoptions();
  w.driver.renewsAtOnce = true;
  w.pass(10 * kj::SECONDS);
  CHECK(w.endedSessions.size() == 1);
  CHECK_FALSE(w.sessions->mayHaveUncut(w.vm));
  CHECK(w.storedSessions() == 0);
}

TEST_CASE(
    "P54 P58 a session is not cut while nobody has taken over the machine of a half-done pause or "
    "resume") {
  Adopted w;
  auto kind = GENERATE(OperationKind::PAUSE, OperationKind::RESUME);
  w.answersEndLanes = false;
  {
    auto revoking = w.sessions->revoke(w.session());
    w.settle();
  }
  REQUIRE(w.storedSessions() == 1);
  w.endedSessions.clear();
  w.answersEndLanes = true;
  if (kind == OperationKind::RESUME) {
    REQUIRE(w.find("demo")->pause().wait(w.scope).is<Workspace::Paused>());
  }
  w.leave("demo", kind, kind == OperationKind::PAUSE ? "freeze"_kj : "thaw"_kj);
  w.driver.leave(w.vm, false);
  w.driver.adoptionsHang = true;
  w.restart();
  w.settle();
  CHECK(isHalted(w.find("demo")->state()));
  CHECK(w.sessions->mayHaveUncut(w.vm));
  CHECK(w.storedSessions() == 1);
  w.driver.adoptionsHang = false;
  w.driver.renewsAtOnce = true;
  w.pass(5 * kj::MINUTES);
  CHECK_FALSE(w.sessions->mayHaveUncut(w.vm));
  CHECK(w.storedSessions() == 0);
}

struct Paused: public Adopted {
  void pause() { REQUIRE(find("demo")->pause().wait(scope).is<Workspace::Paused>()); }
  void resume() {
    auto outcome = find("demo")->resume(nullptr).wait(scope);
    REQUIRE(outcome.get<kj::Own<StartReport>>()->failure == nullptr);
  }
};

TEST_CASE("P54 P58 a pause whose vsock device is taken off leaves no lane of an earlier bothyd") {
  Paused w;
  SECTION("paused by this bothyd") {
    w.pause();
  }
  SECTION("found paused") {
    w.pause();
    w.restart();
    w.settle();
  }
  SECTION("paused by this bothyd and resumed") {
    w.pause();
    w.resume();
    w.answersEndLanes = false;
  }
  CHECK(w.sessions->revoke(w.session()).wait(w.scope));
  w.settle();
  CHECK(w.storedSessions() == 0);
  CHECK(w.driver.renewals == 0);
}

TEST_CASE(
    "P54 P58 a session whose lanes outlast a pause is cut when that is over, and not tried "
    "meanwhile") {
  Paused w;
  w.driver.keepsStreams = true;
  const bool isFound = GENERATE(false, true);
  INFO(isFound);
  w.pause();
  if (isFound) {
    w.restart();
    w.settle();
  }
  w.endedSessions.clear();
  auto session = w.session();
  auto revoking = w.sessions->revoke(session->addRef());
  w.pass(SESSION_REVOKE_PATIENCE);
  CHECK_FALSE(revoking.wait(w.scope));
  CHECK(session->hindrance() == "the workspace is paused");
  CHECK(w.timer.nextEvent() == nullptr);
  w.pass(10 * kj::MINUTES);
  CHECK(w.storedSessions() == 1);
  CHECK(w.driver.renewals == 0);
  CHECK(w.endedSessions.size() == 0);
  SECTION("it is resumed") {
    w.resume();
    CHECK_FALSE(w.sessions->remainUncut(w.vm).wait(w.scope));
    CHECK(w.endedSessions.size() == 1);
  }
  SECTION("it is stopped") {
    CHECK(w.find("demo")->stop(1000).wait(w.scope).get<StopKind>() == StopKind::ORDERLY);
  }
  SECTION("its machine ends") {
    w.driver.end(w.vm, VmEnd::EXITED);
  }
  w.pass(2 * kj::SECONDS);
  CHECK(w.storedSessions() == 0);
}

TEST_CASE(
    "P54 P58 a session that ends while its machine is being paused does not renew the vsock "
    "device") {
  Paused w;
  w.driver.changesHang = true;
  auto pausing = w.find("demo")->pause();
  w.settle();
  REQUIRE(w.find("demo")->state() == WorkspaceState::PAUSING);
  w.endedSessions.clear();
  auto session = w.session();
  auto revoking = w.sessions->revoke(session->addRef());
  w.pass(2 * kj::SECONDS);
  CHECK(session->hindrance() == "the workspace is paused");
  CHECK(w.driver.renewals == 0);
  w.driver.changesHang = false;
  w.driver.renewsAtOnce = true;
  w.pass(2 * kj::MINUTES);
  CHECK(w.storedSessions() == 0);
}

TEST_CASE("P54 a vsock device that fails while its machine is paused or stops has no lanes left") {
  Adopted w;
  w.answersEndLanes = false;
  SECTION("as a pause begins that comes to nothing") {
    w.driver.changesHang = true;
    auto pausing = w.find("demo")->pause();
    // Lanes end first.
    w.pass(5 * kj::SECONDS);
    REQUIRE(w.driver.pauses == 1);
    REQUIRE(w.find("demo")->state() == WorkspaceState::PAUSING);
    w.driver.loseVsock(w.vm);
    w.driver.restoreVsock(w.vm);
    w.driver.changesHang = false;
    w.pass(40 * kj::SECONDS);
    REQUIRE(w.find("demo")->state() == WorkspaceState::RUNNING);
    CHECK(w.sessions->revoke(w.session()).wait(w.scope));
  }
  SECTION("while it stops") {
    w.powersOff = false;
    auto stopping = w.find("demo")->stop(30'000);
    w.settle();
    REQUIRE(w.find("demo")->state() == WorkspaceState::STOPPING);
    w.driver.loseVsock(w.vm);
    CHECK(w.sessions->revoke(w.session()).wait(w.scope));
  }
  CHECK(w.driver.renewals == 0);
}

TEST_CASE(
    "a session that has expired and is revoked before it is cut stays over when a clock is set "
    "back") {
  Adopted w;
  w.sessions = nullptr;
  w.driver.failAdoptions(KJ_EXCEPTION(FAILED, "libvirt is away"));
  w.restart();
  w.pass(61 * kj::SECONDS);
  CHECK(w.session()->end() == SessionEnd::EXPIRED);
  CHECK(w.store->state().sessions[0].revokedNanos == 0);
  auto revoking = w.sessions->revoke(w.session());
  w.pass(SESSION_REVOKE_PATIENCE);
  CHECK_FALSE(revoking.wait(w.scope));
  CHECK(w.store->state().sessions[0].revokedNanos != 0);
  w.sessions = nullptr;
  w.clock.time = kj::UNIX_EPOCH + 1000 * kj::DAYS;
  w.restart();
  CHECK(w.session()->end() == SessionEnd::REVOKED);
}

TEST_CASE("a session of a workspace that does not run has nothing to be cut") {
  TestSessions w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  auto made = w.made(w.ask("demo"));
  CHECK(w.sessions->revoke(made.session->addRef()).wait(w.scope));
  CHECK(w.endedSessions.size() == 0);
  w.settle();
  CHECK(w.storedSessions() == 0);
}

TEST_CASE("the time of a session is over for its lanes too while its machine stops") {
  Adopted w;
  w.powersOff = false;
  auto stopping = w.find("demo")->stop(30'000);
  w.settle();
  CHECK(w.find("demo")->state() == WorkspaceState::STOPPING);
  w.driver.renewsAtOnce = true;
  auto revoking = w.sessions->revoke(w.session());
  w.pass(100 * kj::MILLISECONDS);
  CHECK(revoking.wait(w.scope));
  CHECK(w.endedSessions.size() == 1);
}

}  // namespace
}  // namespace bothy
