#include <string.h>

#include "schema/session.capnp.h"
#include "session/test-sessions.h"
#include "store/sqlite-database.h"
#include "support/log-record.h"

namespace bothy {
namespace {

using R = SessionRegistry;

TEST_CASE("a session is made with a token that is told once, and is there after a restart") {
  TestSessions w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  auto made = w.made(w.ask("demo"));
  auto token = w.textOf(made.token);
  auto id = kj::str(made.session->row().id);
  made.session = nullptr;
  for (bool isAgain : {false, true}) {
    if (isAgain) w.restart();
    auto session = KJ_ASSERT_NONNULL(w.redeem(token));
    CHECK(session->row().id == id);
    CHECK((session->row().label == "label" && session->row().actor == "alice"));
    CHECK(session->rights.names() == "programs");
    CHECK(session->laneName() == kj::str("session ", id));
    CHECK(session->laneActor() == "actor alice");
    CHECK(w.sessions->timeLeft(*session) == 60 * kj::SECONDS);
  }
  // What is stored is no token.
  auto stored = w.store->state();
  REQUIRE(stored.sessions.size() == 1);
  CHECK(stored.sessions[0].tokenHash.asPtr() ==
        kj::ArrayPtr<const kj::byte>(KJ_ASSERT_NONNULL(hashOfToken(token)).bytes));
}

TEST_CASE("what cannot be is refused, with the field and the limit") {
  TestSessions w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  auto refused = [&](R::Request request, kj::StringPtr word) {
    auto outcome = w.begin(kj::mv(request));
    REQUIRE(outcome.is<R::Invalid>());
    INFO(outcome.get<R::Invalid>().why.cStr());
    CHECK(strstr(outcome.get<R::Invalid>().why.cStr(), word.cStr()) != nullptr);
  };
  auto request = w.ask("demo");
  request.rights.verbs = {};
  refused(kj::mv(request), "rights");
  for (uint64_t millis : {uint64_t{0}, uint64_t{999}, rpc::MAX_SESSION_MILLIS + 1}) {
    request = w.ask("demo");
    request.lifetimeMillis = millis;
    refused(kj::mv(request), "31622400000");
  }
  request = w.ask("demo");
  request.label = kj::str(kj::repeat('x', 129));
  refused(kj::mv(request), "128");
  request = w.ask("demo");
  request.actor = kj::str("a\nb");
  refused(kj::mv(request), "actor");
  request = w.ask("demo", kj::str(kj::repeat('x', 129)));
  refused(kj::mv(request), "128");
  CHECK(w.begin(w.ask("none")).is<R::Absent>());
  CHECK(w.storedSessions() == 0);
}

TEST_CASE("P54 a workspace has so many sessions, and who asks for another is shown those") {
  TestSessions w;
  w.sessionLimits.ofWorkspace = 2;
  w.restart();
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  w.manager->create(w.request("other"), nullptr).wait(w.scope);
  auto first = w.made(w.ask("demo"));
  w.pass(1 * kj::SECONDS);
  // Those that are on their way count.
  auto second = w.sessions->create(w.ask("demo"));
  auto third = w.sessions->create(w.ask("demo"));
  CHECK(second.wait(w.scope).is<R::Created>());
  auto refused = third.wait(w.scope);
  REQUIRE(refused.is<R::TooMany>());
  auto& those = refused.get<R::TooMany>().sessions;
  REQUIRE(those.size() == 2);
  CHECK(those[0]->row().id == first.session->row().id);
  CHECK(w.begin(w.ask("other")).is<R::Created>());
  // One that has ended has none of the places.
  CHECK(w.sessions->revoke(first.session->addRef()).wait(w.scope));
  CHECK(w.begin(w.ask("demo")).is<R::Created>());
}

TEST_CASE("P53 a workspace of a tier has as many sessions as its tier says") {
  TestSessions w;
  auto request = w.request("demo", false);
  request.spec.tier = kj::str("free");
  w.manager->create(kj::mv(request), nullptr).wait(w.scope);
  auto first = w.made(w.ask("demo"));
  auto refused = w.begin(w.ask("demo"));
  REQUIRE(refused.is<R::TooMany>());
  CHECK(refused.get<R::TooMany>().sessions.size() == 1);
}

TEST_CASE("P57 the same request id gives the same session, and the token that was lost is void") {
  TestSessions w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  auto first = w.made(w.ask("demo", "r"));
  auto lost = w.textOf(first.token);
  for (bool isAgain : {false, true}) {
    if (isAgain) {
      first.session = nullptr;
      w.restart();
    }
    auto again = w.made(w.ask("demo", "r"));
    auto token = w.textOf(again.token);
    CHECK(token != lost);
    CHECK(w.redeem(lost) == nullptr);
    CHECK(KJ_ASSERT_NONNULL(w.redeem(token))->row().id == again.session->row().id);
    CHECK(w.storedSessions() == 1);
    lost = kj::mv(token);
  }
  auto other = w.ask("demo", "r");
  other.rights.verbs = {rpc::Verb::TERMINALS};
  CHECK(w.begin(kj::mv(other)).is<R::RequestConflict>());
  // Two at the same time are one.
  auto one = w.sessions->create(w.ask("demo", "s"));
  auto two = w.sessions->create(w.ask("demo", "s"));
  auto made = one.wait(w.scope);
  CHECK(two.wait(w.scope).get<R::Created>().session->row().id ==
        made.get<R::Created>().session->row().id);
  // An id is free when its session has ended.
  CHECK(w.sessions->revoke(kj::mv(made.get<R::Created>().session)).wait(w.scope));
  other = w.ask("demo", "s");
  other.rights.verbs = {rpc::Verb::TERMINALS};
  CHECK(w.begin(kj::mv(other)).is<R::Created>());
}

TEST_CASE(
    "P57 a token that is void stays so, also where it was used while its successor was stored") {
  TestSessions w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  auto first = w.made(w.ask("demo", "r"));
  auto lost = w.textOf(first.token);
  w.refusing.holdWrites();
  auto again = w.sessions->create(w.ask("demo", "r"));
  w.settle();
  REQUIRE(w.refusing.heldWrites() == 1);
  // It is good until then.
  w.sessions->noteUse(*KJ_ASSERT_NONNULL(w.redeem(lost)));
  REQUIRE(w.refusing.heldWrites() == 2);
  w.refusing.letWritesGo();
  auto token = w.textOf(again.wait(w.scope).get<R::Created>().token);
  w.settle();
  first.session = nullptr;
  w.restart();
  CHECK(w.redeem(lost) == nullptr);
  CHECK(KJ_ASSERT_NONNULL(w.redeem(token))->row().lastUsedNanos > 0);
}

TEST_CASE("a session that the database does not take is none, and neither is a revocation") {
  TestSessions w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  w.refusing.writesToRefuse = 1;
  CHECK_THROWS(w.begin(w.ask("demo")));
  CHECK(w.sessions->isIdle());
  auto made = w.made(w.ask("demo"));
  auto token = w.textOf(made.token);
  w.refusing.writesToRefuse = 1;
  CHECK_THROWS(w.sessions->revoke(made.session->addRef()).wait(w.scope));
  CHECK_FALSE(made.session->isClosed());
  CHECK(w.redeem(token) != nullptr);
  CHECK(w.sessions->revoke(made.session->addRef()).wait(w.scope));
  CHECK(w.redeem(token) == nullptr);
}

TEST_CASE("P54 a session that is revoked is over at once, for who asks and for who waits") {
  TestSessions w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  auto made = w.made(w.ask("demo"));
  auto token = w.textOf(made.token);
  auto ended = made.session->onEnd();
  CHECK_FALSE(ended.poll(w.scope));
  // Nothing begins while that is on its way to the database, and it is not over before it is stored.
  w.refusing.holdWrites();
  {
    auto revoking = w.sessions->revoke(made.session->addRef());
    w.settle();
    CHECK(made.session->isClosed());
    CHECK_FALSE(ended.poll(w.scope));
    CHECK(w.endedSessions.size() == 0);
    // Who asked leaves.
  }
  w.refusing.letWritesGo();
  w.settle();
  CHECK(ended.wait(w.scope) == SessionEnd::REVOKED);
  CHECK(w.redeem(token) == nullptr);
  REQUIRE(w.endedSessions.size() == 1);
  CHECK(w.endedSessions[0] == made.session->laneName());
  CHECK(w.storedSessions() == 0);
  CHECK(w.sessions->list().find(made.session->row().id) == nullptr);
  CHECK(w.sessions->revoke(made.session->addRef()).wait(w.scope));
}

TEST_CASE("P54 a session ends when its time is over, also where no bothyd runs then") {
  TestSessions w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  auto brief = w.ask("demo");
  brief.lifetimeMillis = 2000;
  auto first = w.made(kj::mv(brief));
  auto second = w.made(w.ask("demo"));
  auto ended = first.session->onEnd();
  w.pass(1900 * kj::MILLISECONDS);
  CHECK_FALSE(ended.poll(w.scope));
  w.pass(200 * kj::MILLISECONDS);
  CHECK(ended.wait(w.scope) == SessionEnd::EXPIRED);
  CHECK(w.storedSessions() == 1);
  CHECK(second.session->end() == SessionEnd::NONE);
  auto token = w.textOf(second.token);
  second.session = nullptr;
  first.session = nullptr;
  w.sessions = nullptr;
  w.clock.time += 60 * kj::SECONDS;
  w.endedSessions.clear();
  w.driver.renewsAtOnce = true;
  w.restart();
  w.pass(100 * kj::MILLISECONDS);
  CHECK(w.redeem(token) == nullptr);
  CHECK(w.endedSessions.size() == 1);
  CHECK(w.storedSessions() == 0);
  CHECK(w.sessions->isIdle());
}

TEST_CASE("S16 a session whose row is damaged has no more rights than before: it is revoked") {
  TestSessions w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  auto ask = w.ask("demo");
  ask.rights.verbs = {rpc::Verb::READ_BENEATH};
  ask.rights.beneath = kj::heapArray<const kj::byte>("/srv"_kj.asBytes());
  auto token = w.textOf(w.made(kj::mv(ask)).token);
  auto other = w.textOf(w.made(w.ask("demo")).token);
  w.sessions = nullptr;
  SqliteDatabase(kj::str(w.directory, "/state.db"))
      .run("UPDATE sessions SET beneath=x'' WHERE beneath<>x''");
  w.restart();
  CHECK(w.redeem(token) == nullptr);
  CHECK(w.redeem(other) != nullptr);
  w.driver.renewsAtOnce = true;
  w.pass(100 * kj::MILLISECONDS);
  REQUIRE(w.endedSessions.size() == 1);
  CHECK(w.storedSessions() == 1);
}

TEST_CASE("sessions go with their workspace") {
  TestSessions w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  auto made = w.made(w.ask("demo"));
  auto token = w.textOf(made.token);
  w.find("demo")->erase().wait(w.scope);
  CHECK(made.session->onEnd().wait(w.scope) == SessionEnd::WORKSPACE_DELETED);
  CHECK(w.redeem(token) == nullptr);
  w.settle();
  CHECK(w.sessions->isIdle());
  CHECK(w.timer.nextEvent() == nullptr);
}

TEST_CASE("sessions go with a workspace whose deletion ends while a bothyd recovers") {
  TestSessions w;
  w.manager->create(w.request("demo", false), nullptr).wait(w.scope);
  w.made(w.ask("demo"));
  w.sessions = nullptr;
  w.leave("demo", OperationKind::DELETE, DeleteOperation::FIRST_STEP);
  w.TestWorld::restart();
  w.settle();
  REQUIRE(w.manager->find("demo") == nullptr);
  w.enterSessions();
  CHECK(w.sessions->isIdle());
}

TEST_CASE("when a session was used last is known to a minute, and after a restart") {
  TestSessions w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  auto hour = w.ask("demo");
  hour.lifetimeMillis = 3'600'000;
  auto made = w.made(kj::mv(hour));
  w.pass(1 * kj::SECONDS);
  w.sessions->noteUse(*made.session);
  w.settle();
  const auto first = made.session->row().lastUsedNanos;
  CHECK(first == nanosOf(w.clock.now()));
  CHECK(w.store->state().sessions[0].lastUsedNanos == first);
  w.pass(59 * kj::SECONDS);
  w.sessions->noteUse(*made.session);
  CHECK(made.session->row().lastUsedNanos == first);
  w.pass(2 * kj::SECONDS);
  w.sessions->noteUse(*made.session);
  CHECK(made.session->row().lastUsedNanos > first);
}

TEST_CASE("sessions are listed page by page, those of a workspace or all") {
  TestSessions w;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  w.manager->create(w.request("other"), nullptr).wait(w.scope);
  for (int i = 0; i < 3; i++) w.made(w.ask("demo"));
  for (int i = 0; i < 2; i++) w.made(w.ask("other"));
  kj::String after;
  size_t found = 0;
  do {
    auto page = w.sessions->list().page(after, 2);
    for (auto& session : page.sessions) CHECK(after < session->row().id);
    found += page.sessions.size();
    after = kj::mv(page.next);
  } while (after.size() > 0);
  CHECK(found == 5);
  auto id = kj::str(w.find("demo")->row().id);
  auto page = w.sessions->list().pageOf(id, "", 2);
  CHECK(page.sessions.size() == 2);
  page = w.sessions->list().pageOf(id, page.next, 2);
  CHECK((page.sessions.size() == 1 && page.next == ""));
}

TEST_CASE("S34 the log of a session's life has its id, and neither its token nor that one's hash") {
  TestSessions w;
  LogRecord log;
  w.manager->create(w.request("demo"), nullptr).wait(w.scope);
  auto made = w.made(w.ask("demo", "r"));
  auto token = w.textOf(made.token);
  CHECK(w.sessions->revoke(made.session->addRef()).wait(w.scope));
  auto text = kj::strArray(log.lines, "\n");
  INFO(text.cStr());
  CHECK(strstr(text.cStr(), made.session->row().id.cStr()) != nullptr);
  CHECK(strstr(text.cStr(), "bothy_s_") == nullptr);
  CHECK(strstr(text.cStr(), kj::heapString(token.slice(8, 40)).cStr()) == nullptr);
}

}  // namespace
}  // namespace bothy
