#pragma once

#include "session/session-registry.h"
#include "workspace/test-world.h"

namespace bothy {

// Sessions in a world for tests, whose clock goes with its timer.
struct TestSessions: public TestWorld {
  SessionRegistry::Limits sessionLimits;
  kj::Own<SessionRegistry> sessions;

  TestSessions() { enterSessions(); }

  void enterSessions() {
    sessions = kj::heap<SessionRegistry>(world(), *manager, sessionLimits);
    sessions->enter(manager->takeSessions());
  }
  // As after a kill.
  void restart() {
    sessions = nullptr;
    TestWorld::restart();
    enterSessions();
  }
  // What is due meanwhile is done when it is due.
  void pass(kj::Duration time) {
    constexpr auto STEP = 100 * kj::MILLISECONDS;
    settle();
    for (auto passed = 0 * kj::SECONDS; passed < time; passed += STEP) {
      clock.time += kj::min(STEP, time - passed);
      advance(kj::min(STEP, time - passed));
      settle();
    }
  }

  static SessionRegistry::Request ask(kj::StringPtr workspace, kj::StringPtr requestId = nullptr) {
    SessionRegistry::Request request;
    request.workspace = kj::str(workspace);
    request.rights.verbs = {rpc::Verb::PROGRAMS};
    request.lifetimeMillis = 60'000;
    request.label = kj::str("label");
    request.actor = kj::str("alice");
    request.requestId = kj::str(requestId);
    return request;
  }
  SessionRegistry::CreateOutcome begin(SessionRegistry::Request request) {
    return sessions->create(kj::mv(request)).wait(scope);
  }
  SessionRegistry::Created made(SessionRegistry::Request request) {
    auto outcome = begin(kj::mv(request));
    REQUIRE(outcome.is<SessionRegistry::Created>());
    return kj::mv(outcome.get<SessionRegistry::Created>());
  }
  static kj::String textOf(const Secret& token) { return kj::str(token.bytes().asChars()); }
  // Of whoever has this token.
  kj::Maybe<kj::Own<Session>> redeem(kj::StringPtr token) {
    KJ_IF_MAYBE (hash, hashOfToken(token)) return sessions->list().byToken(*hash);
    return nullptr;
  }
  size_t storedSessions() { return store->state().sessions.size(); }
};

}  // namespace bothy
