#pragma once

#include <catch2/catch_test_macros.hpp>

#include "control/session-facet.h"
#include "control/supervisor-fixture.h"
#include "schema/session-gate.capnp.h"

namespace bothy {

constexpr uid_t SOMEBODY = 4711;

// Clients of the socket of sessions beside an operator.
struct Gate: public Fixture {
  RefusalPace refusals{timer};
  EventWatches gateWatches{timer};
  SessionGateFacet::Rooms gateRooms{*manager,  *events,  driver.abilities(), lanes,     *sessions,
                                    *activity, refusals, gateWatches,        newerVerbs};
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

inline void execAlone(rpc::SessionRights::Builder rights) {
  rights.setExec(true);
}

}  // namespace bothy
