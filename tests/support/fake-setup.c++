#include "support/fake-setup.h"

namespace bothy {

kj::Promise<void> FakeSetup::create(rpc::WorkspaceSpec::Reader spec,
                                    rpc::WorkspaceInfo::Builder info,
                                    rpc::Progress::Client progress) {
  auto configuration = spec.getConfiguration();
  for (auto variable : configuration.getEnvironment()) {
    made.add(kj::str(variable.getName(), '=', variable.getValue()));
  }
  auto steps = configuration.getSetup().getSteps();
  for (auto i : kj::indices(steps)) {
    made.add(kj::str(steps[i].getName()));
    for (auto line : {"beginning"_kj, "at it\x1b[2J"_kj}) {
      auto request = progress.stageRequest();
      request.setStage(rpc::Stage::SETTING_UP);
      auto setup = request.initSetup();
      setup.setStep(i);
      setup.setSteps(steps.size());
      setup.setName(steps[i].getName());
      setup.setLine(line);
      co_await request.send().catch_([](kj::Exception&&) {});
    }
  }
  info.getSetup().setSteps(steps.size());
  info.getSetup().setDone(failure.size() > 0 ? 0 : steps.size());
  info.getSetup().setFailed(failure);
}

void FakeSetup::tell(rpc::Supervisor::SetupParams::Reader params,
                     rpc::Supervisor::SetupOutcome::Builder outcome) {
  if (params.getName() == "idle" && params.getRetry()) {
    outcome.setNotRunning(rpc::WorkspaceState::STOPPED);
  } else if (params.getName() == "old") {
    outcome.setAgentTooOld(4);
  } else if (params.getName() != "demo" && params.getName() != "idle") {
    outcome.setAbsent();
  } else if (params.getRetry() && failure.size() == 0) {
    outcome.setNothingFailed();
  } else {
    if (params.getRetry()) {
      retries++;
      failure = nullptr;
    }
    auto steps = outcome.initFound().initSteps(params.getName() == "demo" ? 2 : 0);
    if (steps.size() == 0) return;
    using State = rpc::SetupInfo::State;
    steps[0].setName("Installing tools");
    steps[0].setState(State::DONE);
    steps[0].setLog("/var/log/bothy/setup/1.log");
    steps[1].setName("Cloning");
    steps[1].setLog("/var/log/bothy/setup/2.log");
    steps[1].setState(failure.size() > 0 ? State::FAILED
                      : goesOnFor > 0    ? State::RUNNING
                                         : State::DONE);
    steps[1].setDetail(failure.size() > 0 ? failure.asPtr() : "at it"_kj);
    if (goesOnFor > 0) goesOnFor--;
  }
}

}  // namespace bothy
