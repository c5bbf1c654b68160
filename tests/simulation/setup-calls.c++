// What each call of a client about set-up is held to.

#include <kj/debug.h>

#include "simulation/clients.h"

namespace bothy {

// The same for the same ask.
GivenConfiguration Clients::configurationFor(const Ledger::Ask& ask) {
  const uint32_t count =
      (ask.diskMib + static_cast<uint8_t>(ask.name[ask.name.size() - 1])) % MOST_SETUP_STEPS;
  capnp::MallocMessageBuilder message;
  auto configuration = message.initRoot<rpc::Configuration>();
  auto steps = configuration.initSetup().initSteps(count);
  for (auto step : steps) {
    step.setName("step");
    step.initCommand().initArgv(1).set(0, "true");
  }
  auto given = GivenConfiguration::of({}, configuration.asReader());
  return kj::mv(given.get<GivenConfiguration>());
}

kj::Promise<void> Clients::retrySetup(kj::String who, kj::String name) {
  using Wish = WorkspaceManager::SetupWish;
  auto found = bothyd.manager().find(name);
  if (found == nullptr) co_return;
  host.trace.line(who, "retry the set-up of ", host.label(KJ_ASSERT_NONNULL(found)->row().id));
  auto outcome = co_await bothyd.manager().setup(name, Wish::RETRY, who);
  if (!isHeard()) co_return;
  KJ_SWITCH_ONEOF(outcome) {
    KJ_CASE_ONEOF(steps, kj::Array<WorkspaceManager::SetupStepView>) {
      host.trace.line(who, "is told: it goes on");
    }
    KJ_CASE_ONEOF(old, SetupFollower::AgentTooOld) {
      host.judge.accuse("an agent of today is told to be too old");
    }
    KJ_CASE_ONEOF(nothing, SetupFollower::NothingFailed) {
      host.trace.line(who, "is told: nothing has failed");
    }
    KJ_CASE_ONEOF(other, WorkspaceManager::NotRunning) {
      host.trace.line(who, "is told: it does not run");
    }
    KJ_CASE_ONEOF(unknown, WorkspaceManager::SetupUnknown) {
      host.trace.line(who, "is told: ", unknown.why);
    }
    KJ_CASE_ONEOF(absent, WorkspaceManager::Absent) {
      host.trace.line(who, "is told: absent");
    }
  }
}

}  // namespace bothy
