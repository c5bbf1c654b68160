#pragma once

#include "support/fake-supervisor.h"

namespace bothy {

// A workspace as the fake shows it.
void describe(rpc::WorkspaceInfo::Builder info, kj::StringPtr name, rpc::WorkspaceState state);

// What the fake answers to who has its workspaces stand still, and go on.
void fillPause(FakeSupervisor& fake, kj::StringPtr name,
               rpc::Supervisor::PauseOutcome::Builder outcome);
void fillHibernation(FakeSupervisor& fake, kj::StringPtr name,
                     rpc::HibernateOutcome::Builder outcome);
void fillResume(FakeSupervisor& fake, kj::StringPtr name,
                rpc::Supervisor::ResumeOutcome::Builder outcome);

}  // namespace bothy
