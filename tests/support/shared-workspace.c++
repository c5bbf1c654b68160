#include "support/shared-workspace.h"

#include <catch2/reporters/catch_reporter_event_listener.hpp>
#include <catch2/reporters/catch_reporter_registrars.hpp>

namespace bothy {

namespace {

kj::Maybe<kj::Own<SharedWorkspace>> shared;

class SharedEnd final: public Catch::EventListenerBase {
public:
  using Catch::EventListenerBase::EventListenerBase;

  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    if (stats.totals.assertions.allOk()) return;
    KJ_IF_MAYBE (failed, shared) {
      (*failed)->host.keepLogs();
    }
    shared = nullptr;
  }
  void testRunEnded(const Catch::TestRunStats&) override { shared = nullptr; }
};

CATCH_REGISTER_LISTENER(SharedEnd)

}  // namespace

SharedWorkspace& sharedWorkspace(TestWorkspace::Options options) {
  KJ_IF_MAYBE (running, shared) {
    auto& [host, workspace] = **running;
    if (host.stateOf(workspace.name) != rpc::WorkspaceState::RUNNING) {
      host.startWorkspace(workspace.name);
    }
    workspace.reconnect();
    return **running;
  }
  return *shared.emplace(kj::heap<SharedWorkspace>(options));
}

}  // namespace bothy
