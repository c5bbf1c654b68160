#pragma once

#include "workspace/test-world.h"

namespace bothy {

// With a workspace that runs.
struct PausedWorld: public TestWorld {
  kj::Own<Workspace> demo;
  kj::String id;

  PausedWorld() {
    manager->create(request("demo"), nullptr).wait(scope);
    demo = find("demo");
    id = kj::str(demo->row().id);
  }
  ~PausedWorld() noexcept(false) { demo = nullptr; }

  void pause() { REQUIRE(demo->pause().wait(scope).is<Workspace::Paused>()); }
  StartReport& resume() {
    auto outcome = demo->resume(nullptr).wait(scope);
    report = kj::mv(outcome.get<kj::Own<StartReport>>());
    return *report;
  }
  void hibernate() {
    REQUIRE(demo->hibernate().wait(scope).is<Workspace::Hibernated>());
    REQUIRE(demo->state() == WorkspaceState::HIBERNATED);
  }
  void passUntil(kj::Promise<Workspace::HibernateOutcome>& promise) { pass(promise); }
  void restartBothyd() {
    demo = nullptr;
    restart();
    demo = find("demo");
  }
  void passUntil(kj::Promise<Workspace::PauseOutcome>& promise) { pass(promise); }
  void passUntil(kj::Promise<Workspace::StartOutcome>& promise) { pass(promise); }
  void passUntil(kj::Promise<Workspace::StopOutcome>& promise) { pass(promise); }
  // Virtual time goes on until then.
  void passUntil(WorkspaceState state) {
    for (int i = 0; i < 600 && demo->state() != state; i++) {
      settle();
      if (demo->state() != state) advance(1 * kj::SECONDS);
    }
    REQUIRE(demo->state() == state);
  }
  // Time stands still.
  void settleUntil(WorkspaceState state) {
    for (int i = 0; i < 1000 && demo->state() != state; i++) scope.poll(1);
    REQUIRE(demo->state() == state);
  }
  kj::String lastDetail() {
    auto events = store->events(0, 100);
    return kj::str(events.back().detail);
  }
  Cause lastCause() { return store->events(0, 100).back().cause; }

private:
  kj::Own<StartReport> report;

  template <typename T>
  void pass(kj::Promise<T>& promise) {
    for (int i = 0; i < 600 && !promise.poll(scope); i++) advance(1 * kj::SECONDS);
    REQUIRE(promise.poll(scope));
  }
};

}  // namespace bothy
