#include "support/fake-halts.h"

namespace bothy {

void describe(rpc::WorkspaceInfo::Builder info, kj::StringPtr name, rpc::WorkspaceState state) {
  auto spec = info.initSpec();
  spec.setName(name);
  spec.setImage("base");
  spec.setCpus(2);
  spec.setMemoryMib(512);
  spec.setDiskMib(4096);
  if (name == "demo") {
    spec.setTier("pro");
    auto next = info.initAtNextStart();
    next.setCpus(2);
    next.setMemoryMib(2048);
    next.setDiskMib(4096);
  }
  info.setState(state);
}

void fillPause(FakeSupervisor& fake, kj::StringPtr name,
               rpc::Supervisor::PauseOutcome::Builder outcome) {
  KJ_IF_MAYBE (why, fake.haltFailure) {
    outcome.setFailed(*why);
  } else if (name == "demo") {
    fake.state = rpc::WorkspaceState::PAUSED;
    describe(outcome.initPaused(), "demo", rpc::WorkspaceState::PAUSED);
  } else if (name == "idle") {
    outcome.setNotRunning(rpc::WorkspaceState::STOPPED);
  } else if (name == "busy") {
    outcome.setNotRunning(rpc::WorkspaceState::STARTING);
  } else if (name == "expired") {
    outcome.setNotRunning(rpc::WorkspaceState::EXPIRED);
  } else {
    outcome.setAbsent();
  }
}

void fillHibernation(FakeSupervisor& fake, kj::StringPtr name,
                     rpc::HibernateOutcome::Builder outcome) {
  KJ_IF_MAYBE (why, fake.haltFailure) {
    outcome.setFailed(*why);
  } else if (name == "demo") {
    fake.state = rpc::WorkspaceState::HIBERNATED;
    auto info = outcome.initHibernated();
    describe(info, "demo", rpc::WorkspaceState::HIBERNATED);
    info.setHibernatedNanos(1);
    info.setSavedBytes(20 << 20);
  } else if (name == "idle") {
    outcome.setNotRunning(rpc::WorkspaceState::STOPPED);
  } else if (name == "busy") {
    outcome.setNotRunning(rpc::WorkspaceState::STARTING);
  } else if (name == "expired") {
    outcome.setNotRunning(rpc::WorkspaceState::EXPIRED);
  } else if (name == "large") {
    auto room = outcome.initNoCapacity();
    room.setWhat(rpc::Shortage::Resource::DISK);
    room.setAsked(552);
    room.setFree(40);
    room.setWhy("552 MiB are to be written at once, and 40 MiB are free");
  } else {
    outcome.setAbsent();
  }
}

void fillResume(FakeSupervisor& fake, kj::StringPtr name,
                rpc::Supervisor::ResumeOutcome::Builder outcome) {
  KJ_IF_MAYBE (why, fake.haltFailure) {
    outcome.setFailed(*why);
  } else if (name == "demo") {
    fake.state = nullptr;
    fake.tellResumed();
    describe(outcome.initResumed(), "demo", rpc::WorkspaceState::RUNNING);
  } else if (name == "idle") {
    outcome.setNotPaused(rpc::WorkspaceState::STOPPED);
  } else if (name == "busy") {
    outcome.setNotPaused(rpc::WorkspaceState::PAUSING);
  } else if (name == "expired") {
    outcome.setNotPaused(rpc::WorkspaceState::EXPIRED);
  } else {
    outcome.setAbsent();
  }
}

}  // namespace bothy
