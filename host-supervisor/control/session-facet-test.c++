#include "control/session-facet.h"

#include <string.h>
#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>

#include "control/control-server.h"
#include "control/supervisor-fixture.h"
#include "schema/session-gate.capnp.h"
#include "support/log-record.h"

namespace bothy {
namespace {

constexpr uid_t SOMEBODY = 4711;

// Clients of the socket of sessions beside an operator.
struct Gate: public Fixture {
  RefusalPace refusals{timer};
  EventWatches gateWatches{timer};
  SessionGateFacet::Rooms gateRooms{*manager,  *events,  driver.abilities(), lanes,
                                    *sessions, refusals, gateWatches,        newerVerbs};
  struct Client {
    kj::Own<ClientConnection> server;
    kj::Own<RpcConnection> connection;
    rpc::SessionGate::Client gate;
  };
  uint64_t clients = 100;

  Gate() { create("demo").wait(scope); }

  Client come(uid_t uid = SOMEBODY) {
    auto pipe = io.provider->newCapabilityPipe();
    auto ours = kj::heap<ClientConnection>(
        kj::heap<DescriptorFilter>(kj::mv(pipe.ends[0]), uid), lanes.descriptors,
        kj::heap<SessionGateFacet>(gateRooms, ClientIdentity{++clients, 0, uid, uid}),
        io.provider->getTimer(), budget);
    auto theirs = kj::heap<RpcConnection>(kj::mv(pipe.ends[1]), 1);
    auto gate = theirs->bootstrap().castAs<rpc::SessionGate>();
    return {kj::mv(ours), kj::mv(theirs), kj::mv(gate)};
  }
  void pass(kj::Duration time) {
    constexpr auto STEP = 10 * kj::MILLISECONDS;
    settle();
    for (auto passed = 0 * kj::SECONDS; passed < time; passed += STEP) {
      clock.time += STEP;
      advance(STEP);
      settle();
    }
  }

  rpc::Sessions::Client sessionsOfOperator() {
    return supervisor().sessionsRequest().send().getSessions();
  }
  using Rights = kj::FunctionParam<void(rpc::SessionRights::Builder)>;
  auto make(Rights rights, uint64_t millis = 60'000, kj::StringPtr requestId = nullptr) {
    auto call = sessionsOfOperator().createRequest();
    auto request = call.initRequest();
    request.setWorkspace("demo");
    rights(request.initRights());
    request.setLifetimeMillis(millis);
    request.setActor("alice");
    request.setLabel("browser");
    request.setRequestId(requestId);
    return call.send().wait(scope);
  }
  kj::String token(Rights rights, uint64_t millis = 60'000) {
    auto made = make(rights, millis);
    REQUIRE(made.getOutcome().isCreated());
    return kj::str(made.getOutcome().getCreated().getToken());
  }
  rpc::Session::Client redeem(Client& client, kj::StringPtr token) {
    auto request = client.gate.redeemRequest();
    request.setToken(token);
    auto answer = request.send().wait(scope);
    REQUIRE(answer.getOutcome().isRedeemed());
    return answer.getSession();
  }
  auto commands(rpc::Session::Client session) {
    auto request = session.connectRequest();
    request.initWanted().setCommands();
    return request.send();
  }
  void revoke(kj::StringPtr id) {
    auto request = sessionsOfOperator().revokeRequest();
    request.initWhich().setId(id);
    CHECK(request.send().wait(scope).getOutcome().isRevoked());
  }
  // Of the only lane of a client, when its agent has heard it.
  const LaneGrant& onlyGrant() {
    constexpr int MOST_TURNS = 2000;
    for (int turn = 0; turn < MOST_TURNS; turn++) {
      for (auto& agent : served) {
        for (auto& grant : agent->grants) {
          if (grant.purpose != rpc::Purpose::CONTROL) return grant;
        }
      }
      io.provider->getTimer().afterDelay(5 * kj::MILLISECONDS).wait(scope);
    }
    KJ_FAIL_REQUIRE("no lane was granted");
  }
};

void execAlone(rpc::SessionRights::Builder rights) {
  rights.setExec(true);
}

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

TEST_CASE("S01 a client waits only for so many ends and changes of state, and is told how many") {
  Gate f;
  auto token = f.token(execAlone);
  auto client = f.come();
  auto session = f.redeem(client, token);
  auto awaitOther = [&]() {
    auto request = session.stateRequest();
    request.setIsOther(true);
    request.setThan(rpc::WorkspaceState::RUNNING);
    return request.send();
  };
  kj::Vector<decltype(awaitOther())> states;
  kj::Vector<decltype(session.whenEndedRequest().send())> ends;
  for (kj::uint i = 0; i < MAX_HELD_WATCHES / 2; i++) {
    states.add(awaitOther());
    ends.add(session.whenEndedRequest().send());
  }
  f.settle();
  auto refused = [&](auto call) {
    try {
      call.wait(f.scope);
      return false;
    } catch (const kj::Exception& e) {
      return e.getType() == kj::Exception::Type::OVERLOADED;
    }
  };
  auto tooMany = awaitOther();
  REQUIRE(tooMany.poll(f.scope));
  CHECK(refused(kj::mv(tooMany)));
  CHECK(refused(session.whenEndedRequest().send()));
  // Who does not wait needs no place, and what is dropped has none.
  CHECK(session.stateRequest().send().wait(f.scope).getOutcome().isState());
  auto other = f.come();
  auto others = f.redeem(other, token).whenEndedRequest().send();
  CHECK_FALSE(others.poll(f.scope));
  states.removeLast();
  f.settle();
  auto another = session.whenEndedRequest().send();
  CHECK_FALSE(another.poll(f.scope));
}

// A paused workspace, and what a session wants in it.
struct Sleeper: public Gate {
  Client client = come();
  Sleeper() {
    auto request = supervisor().pauseRequest();
    request.setName("demo");
    REQUIRE(request.send().wait(scope).getOutcome().isPaused());
  }
  auto wake(rpc::Session::Client session,
            kj::FunctionParam<void(rpc::LaneRequest::Builder)> wanted) {
    auto request = session.connectRequest();
    request.setWake(true);
    wanted(request.initWanted());
    return request.send();
  }
};

TEST_CASE("P58 who may do more than look in a paused workspace wakes it, and nobody else") {
  Sleeper f;
  using Access = rpc::SessionRights::TerminalAccess;
  using Files = rpc::SessionRights::FileRight;
  auto asleep = [&](Gate::Rights rights,
                    kj::FunctionParam<void(rpc::LaneRequest::Builder)> wanted) {
    auto session = f.redeem(f.client, f.token(kj::mv(rights)));
    auto answer = f.wake(session, kj::mv(wanted)).wait(f.scope);
    if (answer.getOutcome().isConnected()) return false;
    REQUIRE(answer.getOutcome().isNotRunning());
    CHECK(answer.getOutcome().getNotRunning() == rpc::WorkspaceState::PAUSED);
    return true;
  };
  auto look = [](rpc::LaneRequest::Builder wanted) { wanted.setViewTerminals(); };
  auto read = [](rpc::LaneRequest::Builder wanted) {
    wanted.initFiles().setAccess(rpc::FileAccess::READ);
  };
  SECTION("who looks at terminals") {
    CHECK(asleep([](auto rights) { rights.setTerminals(Access::VIEW); }, look));
  }
  SECTION("who reads files") {
    CHECK(asleep([](auto rights) { rights.setFiles(Files::READ); }, read));
  }
  SECTION("who reads files of a directory") {
    CHECK(asleep(
        [](auto rights) {
          rights.setFiles(Files::READ);
          rights.setBeneath("/srv"_kj.asBytes());
        },
        read));
  }
  SECTION("who uses terminals") {
    CHECK_FALSE(asleep([](auto rights) { rights.setTerminals(Access::USE); },
                       [](auto wanted) { wanted.setInteractive(); }));
  }
  SECTION("who runs programs") {
    CHECK_FALSE(asleep(execAlone, [](auto wanted) { wanted.setCommands(); }));
  }
  SECTION("who has the machine") {
    CHECK_FALSE(asleep([](auto rights) { rights.setPower(true); },
                       [](auto wanted) { wanted.setMachine(); }));
  }
  SECTION("who writes files, also to read them") {
    CHECK_FALSE(asleep([](auto rights) { rights.setFiles(Files::WRITE); }, read));
  }
  SECTION("who writes files of a directory") {
    CHECK_FALSE(asleep(
        [](auto rights) {
          rights.setFiles(Files::WRITE);
          rights.setBeneath("/srv"_kj.asBytes());
        },
        read));
  }
}

TEST_CASE("P54 who waits for a workspace to wake is told at once that his session has ended") {
  Sleeper f;
  auto session = f.redeem(f.client, f.token(execAlone));
  auto id = kj::str(session.infoRequest().send().wait(f.scope).getInfo().getId());
  f.driver.changesHang = true;
  auto connecting = f.wake(session, [](auto wanted) { wanted.setCommands(); });
  CHECK_FALSE(connecting.poll(f.scope));
  f.revoke(id);
  REQUIRE(connecting.poll(f.scope));
  CHECK(connecting.wait(f.scope).getOutcome().isAbsent());
}

TEST_CASE("P54 a session whose revocation is being stored starts nothing, and says why") {
  Gate f;
  auto token = f.token([](rpc::SessionRights::Builder rights) { rights.setPower(true); });
  auto client = f.come();
  auto session = f.redeem(client, token);
  auto id = kj::str(session.infoRequest().send().wait(f.scope).getInfo().getId());
  f.settle();
  f.refusing.holdWrites();
  auto request = f.sessionsOfOperator().revokeRequest();
  request.initWhich().setId(id);
  auto revoking = request.send();
  CHECK_FALSE(revoking.poll(f.scope));
  auto start = session.startRequest().send().wait(f.scope);
  REQUIRE(start.getOutcome().isEnded());
  CHECK(start.getOutcome().getEnded() == rpc::SessionEnd::REVOKED);
  f.refusing.letWritesGo();
  CHECK(revoking.wait(f.scope).getOutcome().isRevoked());
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
