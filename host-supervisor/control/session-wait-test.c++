// What holders of sessions wait for: a state, an end, a workspace that wakes.

#include "control/session-gate-fixture.h"

namespace bothy {
namespace {

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

TEST_CASE("P58 who may start an expired workspace has it made anew by a wake, and nobody else") {
  Sleeper f;
  auto stop = f.supervisor().stopRequest();
  stop.setName("demo");
  stop.setGraceMillis(1000);
  REQUIRE(stop.send().wait(f.scope).getOutcome().isStopped());
  auto expire = f.supervisor().expireRequest();
  expire.setName("demo");
  REQUIRE(expire.send().wait(f.scope).getOutcome().isExpired());
  SECTION("not who runs programs") {
    auto session = f.redeem(f.client, f.token(execAlone));
    auto answer = f.wake(session, [](auto wanted) { wanted.setCommands(); }).wait(f.scope);
    REQUIRE(answer.getOutcome().isNotRunning());
    CHECK(answer.getOutcome().getNotRunning() == rpc::WorkspaceState::EXPIRED);
  }
  SECTION("who has the machine") {
    auto session = f.redeem(f.client, f.token([](auto rights) { rights.setPower(true); }));
    auto answer = f.wake(session, [](auto wanted) { wanted.setMachine(); }).wait(f.scope);
    CHECK(answer.getOutcome().isConnected());
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

}  // namespace
}  // namespace bothy
