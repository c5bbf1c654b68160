#include "control/session-facet.h"

#include <string.h>
#include <sys/stat.h>

#include "control/control-server.h"
#include "control/session-gate-fixture.h"
#include "support/log-record.h"

namespace bothy {
namespace {

TEST_CASE("P54 a session's lanes carry its rights, its name and its actor, and end with it") {
  Gate f;
  auto token = f.token(execAlone);
  auto client = f.come();
  auto session = f.redeem(client, token);
  auto connected = f.commands(session).wait(f.scope);
  REQUIRE(connected.getOutcome().isConnected());
  CHECK(connected.getOutcome().getConnected().getSpec().getName() == "demo");
  auto lane = f.open(connected.getLane());
  lane->answer().wait(f.scope);
  auto info = session.infoRequest().send().wait(f.scope);
  auto id = kj::str(info.getInfo().getId());
  auto& grant = f.onlyGrant();
  CHECK(grant.session == kj::str("session ", id));
  CHECK(grant.actor == "actor alice");
  CHECK_FALSE(grant.allLanes);
  CHECK((grant.verbs.has(rpc::Verb::PROGRAMS) && !grant.verbs.has(rpc::Verb::MACHINE)));
  CHECK(KJ_ASSERT_NONNULL(grant.lifetime) <= 60 * kj::SECONDS);

  auto laneEnd = connected.getLane().whenEndedRequest().send();
  auto sessionEnd = session.whenEndedRequest().send();
  SECTION("it is revoked") {
    f.revoke(id);
    CHECK(laneEnd.wait(f.scope).getReason() == rpc::LaneEnd::REVOKED);
    CHECK(sessionEnd.wait(f.scope).getReason() == rpc::SessionEnd::REVOKED);
  }
  SECTION("its time is over") {
    f.pass(59 * kj::SECONDS);
    CHECK_FALSE(laneEnd.poll(f.scope));
    f.pass(1100 * kj::MILLISECONDS);
    CHECK(laneEnd.wait(f.scope).getReason() == rpc::LaneEnd::EXPIRED);
    CHECK(sessionEnd.wait(f.scope).getReason() == rpc::SessionEnd::EXPIRED);
  }
  SECTION("its workspace is deleted") {
    auto request = f.supervisor().deleteRequest();
    request.setName("demo");
    request.send().wait(f.scope);
    CHECK(sessionEnd.wait(f.scope).getReason() == rpc::SessionEnd::WORKSPACE_DELETED);
    f.served.clear();
    for (int i = 0; i < 500 && !laneEnd.poll(f.scope); i++) {
      // A thread hears of the hang-up.
      f.io.provider->getTimer().afterDelay(5 * kj::MILLISECONDS).wait(f.scope);
      f.advance(10 * kj::MILLISECONDS);
    }
    CHECK(laneEnd.wait(f.scope).getReason() == rpc::LaneEnd::STOPPED);
  }
  // The agent's end is cut, and nothing begins any more.
  lane->onDisconnect().wait(f.scope);
  CHECK(f.commands(session).wait(f.scope).getOutcome().isAbsent());
  auto request = client.gate.redeemRequest();
  request.setToken(token);
  auto again = request.send();
  f.pass(RefusalPace::LEAST);
  CHECK(again.wait(f.scope).getOutcome().isRefused());
}

TEST_CASE("P54 a lane that is on its way when its session is revoked is nobody's") {
  Gate f;
  auto token = f.token(execAlone);
  auto client = f.come();
  auto session = f.redeem(client, token);
  auto id = kj::str(session.infoRequest().send().wait(f.scope).getInfo().getId());
  // There is no spare yet.
  f.commands(session).wait(f.scope);
  f.holdsDials = true;
  auto late = f.commands(session);
  f.settle();
  REQUIRE_FALSE(late.poll(f.scope));
  f.revoke(id);
  f.letDialsGo();
  auto answer = late.wait(f.scope);
  CHECK(answer.getOutcome().isAbsent());
  CHECK_FALSE(answer.hasLane());
}

TEST_CASE(
    "P54 what a session has no right to is refused by name, and a lost connection ends no "
    "session") {
  Gate f;
  auto token = f.token([](rpc::SessionRights::Builder rights) {
    rights.setTerminals(rpc::SessionRights::TerminalAccess::VIEW);
    rights.setFiles(rpc::SessionRights::FileRight::READ);
    rights.setBeneath("/srv"_kj.asBytes());
  });
  auto client = f.come();
  {
    auto session = f.redeem(client, token);
    auto refused = f.commands(session).wait(f.scope);
    REQUIRE(refused.getOutcome().isNotAllowed());
    CHECK(strstr(refused.getOutcome().getNotAllowed().cStr(), "programs") != nullptr);
    auto start = session.startRequest().send().wait(f.scope);
    CHECK(start.getOutcome().isNotAllowed());
    auto info = session.infoRequest().send().wait(f.scope);
    auto rights = info.getInfo().getRights();
    CHECK(rights.getTerminals() == rpc::SessionRights::TerminalAccess::VIEW);
    CHECK((!rights.getExec() && !rights.getPower()));
    CHECK(rights.getFiles() == rpc::SessionRights::FileRight::READ);
    CHECK(rights.getBeneath() == "/srv"_kj.asBytes());
  }
  client = f.come();
  auto session = f.redeem(client, token);
  auto request = session.connectRequest();
  request.initWanted().initFiles().setAccess(rpc::FileAccess::READ);
  REQUIRE(request.send().wait(f.scope).getOutcome().isConnected());
  auto& grant = f.onlyGrant();
  CHECK((grant.verbs.has(rpc::Verb::READ_BENEATH) && !grant.verbs.has(rpc::Verb::READ_FILES)));
  CHECK(grant.beneath.asPtr() == "/srv"_kj.asBytes());
}

TEST_CASE("S34 wrong tokens are told alike, late, and so many of one user at a time") {
  Gate f;
  auto token = f.token(execAlone);
  LogRecord log;
  auto client = f.come();
  auto show = [&](kj::StringPtr text) {
    auto request = client.gate.redeemRequest();
    request.setToken(text);
    return request.send();
  };
  auto altered = kj::str(token);
  altered[20] = altered[20] == '0' ? '1' : '0';
  for (auto text : {""_kj, "bothy_s_"_kj, altered.asPtr()}) {
    auto answer = show(text);
    f.pass(RefusalPace::LEAST - 10 * kj::MILLISECONDS);
    CHECK_FALSE(answer.poll(f.scope));
    f.pass(10 * kj::MILLISECONDS);
    auto told = answer.wait(f.scope);
    CHECK(told.getOutcome().isRefused());
    CHECK_FALSE(told.hasSession());
  }
  kj::Vector<decltype(show(""_kj))> answers;
  for (uint i = 0; i < rpc::MAX_WAITING_REFUSALS; ++i) answers.add(show(altered));
  f.settle();
  try {
    show(altered).wait(f.scope);
    FAIL("one more is let wait");
  } catch (const kj::Exception& e) {
    CHECK(e.getType() == kj::Exception::Type::OVERLOADED);
  }
  // Who has a token, and another user, wait for nobody.
  f.redeem(client, token);
  auto other = f.come(SOMEBODY + 1);
  auto request = other.gate.redeemRequest();
  request.setToken(altered);
  auto alone = request.send();
  f.pass(RefusalPace::LEAST);
  CHECK(alone.poll(f.scope));
  f.pass(1 * kj::SECONDS);
  size_t answered = 0;
  for (auto& answer : answers) answered += answer.poll(f.scope);
  CHECK(answered >= rpc::MAX_REFUSALS_PER_SECOND);
  CHECK(answered <= rpc::MAX_REFUSALS_PER_SECOND + 2);
  const auto text = kj::strArray(log.lines, "\n");
  INFO(text.cStr());
  CHECK(strstr(text.cStr(), "a token is refused") != nullptr);
  CHECK(strstr(text.cStr(), "bothy_s_") == nullptr);
  CHECK(strstr(text.cStr(), kj::heapString(token.slice(8, 40)).cStr()) == nullptr);
}

TEST_CASE("a session starts its workspace with the right to, and hears when its state is another") {
  Gate f;
  auto token = f.token([](rpc::SessionRights::Builder rights) { rights.setPower(true); });
  auto client = f.come();
  auto session = f.redeem(client, token);
  auto awaitOther = [&](rpc::WorkspaceState than) {
    auto request = session.stateRequest();
    request.setIsOther(true);
    request.setThan(than);
    return request.send();
  };
  auto now = session.stateRequest().send().wait(f.scope);
  CHECK(now.getOutcome().getState() == rpc::WorkspaceState::RUNNING);
  auto other = awaitOther(rpc::WorkspaceState::RUNNING);
  CHECK_FALSE(other.poll(f.scope));
  auto stop = f.supervisor().stopRequest();
  stop.setName("demo");
  auto stopping = stop.send();
  CHECK(other.wait(f.scope).getOutcome().getState() == rpc::WorkspaceState::STOPPING);
  CHECK(awaitOther(rpc::WorkspaceState::STOPPING).wait(f.scope).getOutcome().getState() ==
        rpc::WorkspaceState::STOPPED);
  stopping.wait(f.scope);
  CHECK(f.commands(session).wait(f.scope).getOutcome().isNotAllowed());
  auto started = session.startRequest().send().wait(f.scope);
  CHECK(started.getOutcome().getStart().isStarted());
  auto request = session.connectRequest();
  request.initWanted().setMachine();
  CHECK(request.send().wait(f.scope).getOutcome().isConnected());
  CHECK(f.onlyGrant().verbs.has(rpc::Verb::MACHINE));
  auto last = awaitOther(rpc::WorkspaceState::RUNNING);
  auto id = kj::str(session.infoRequest().send().wait(f.scope).getInfo().getId());
  CHECK_FALSE(last.poll(f.scope));
  f.revoke(id);
  CHECK(last.wait(f.scope).getOutcome().getEnded() == rpc::SessionEnd::REVOKED);
}

TEST_CASE("operators see sessions, and are told of requests that cannot be") {
  Gate f;
  auto made = f.make(execAlone, 60'000, "r");
  auto info = made.getOutcome().getCreated().getInfo();
  CHECK((info.getWorkspace() == "demo" && info.getLabel() == "browser"));
  CHECK(info.getExpiresNanos() - info.getCreatedNanos() == 60'000'000'000);
  CHECK(f.make(execAlone, 61'000, "r").getOutcome().isRequestConflict());
  CHECK(f.make([](auto) {}).getOutcome().isInvalid());
  for (auto workspace : {""_kj, "demo"_kj, "none"_kj}) {
    auto request = f.sessionsOfOperator().listRequest();
    request.setWorkspace(workspace);
    auto list = request.send().wait(f.scope);
    CHECK(list.getSessions().size() == (workspace == "none" ? 0 : 1));
    if (workspace != "none") CHECK(list.getSessions()[0].getId() == info.getId());
  }
  auto get = f.sessionsOfOperator().getRequest();
  get.setId(info.getId());
  CHECK(get.send().wait(f.scope).getOutcome().getFound().getActor() == "alice");
  get = f.sessionsOfOperator().getRequest();
  get.setId("none");
  CHECK(get.send().wait(f.scope).getOutcome().isAbsent());
  for (uint i = 1; i < SessionRegistry::Limits().ofWorkspace; ++i) f.token(execAlone);
  auto refused = f.make(execAlone);
  REQUIRE(refused.getOutcome().isTooManySessions());
  CHECK(refused.getOutcome().getTooManySessions().size() == 16);
  // By a token's hash, as of one that was found.
  auto revoke = f.sessionsOfOperator().revokeRequest();
  const auto hash = KJ_ASSERT_NONNULL(hashOfToken(made.getOutcome().getCreated().getToken()));
  revoke.initWhich().setTokenHash(kj::ArrayPtr<const kj::byte>(hash.bytes));
  CHECK(revoke.send().wait(f.scope).getOutcome().isRevoked());
  revoke = f.sessionsOfOperator().revokeRequest();
  revoke.initWhich().setId(info.getId());
  CHECK(revoke.send().wait(f.scope).getOutcome().isAbsent());
  CHECK_THROWS(f.sessionsOfOperator().revokeRequest().send().wait(f.scope));
}

TEST_CASE("the socket of sessions gives no capability but the gate, and may be open to all") {
  Gate f;
  auto client = f.come();
  // Whoever takes it for that of operators is told that it is none.
  auto supervisor = client.connection->bootstrap().castAs<rpc::Supervisor>();
  try {
    supervisor.versionRequest().send().wait(f.scope);
    FAIL("an operator's method is served");
  } catch (const kj::Exception& e) {
    CHECK(e.getType() == kj::Exception::Type::UNIMPLEMENTED);
  }
  for (mode_t mode : {mode_t{0600}, mode_t{0666}}) {
    auto path = kj::str(f.directory, "/sessions");
    auto fd = listenOn(path, nullptr, mode);
    struct stat stats;
    REQUIRE(stat(path.cStr(), &stats) == 0);
    CHECK((stats.st_mode & 0777) == mode);
  }
}

}  // namespace
}  // namespace bothy
