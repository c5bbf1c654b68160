#pragma once

#include <kj/async.h>
#include <kj/exception.h>
#include <kj/string.h>

#include "schema/files.capnp.h"
#include "schema/lane.capnp.h"
#include "schema/process.capnp.h"
#include "schema/supervisor.capnp.h"
#include "supervisor/names.h"

namespace bothy {

// What to tell the user about outcomes that are not the good one.  Every text of a peer is escaped.

// Asks `supervisor` for the name that was probably meant, which takes one round trip more than the failure.
kj::Promise<kj::Exception> noSuchWorkspace(rpc::Supervisor::Client supervisor, kj::StringPtr name);
// An outcome that this program does not know.
kj::Exception newerSupervisor();
// bothyd goes on with what was asked for, and the call has ended.  `again`: what waits for the same.
kj::Exception stillUnderway(kj::StringPtr name, rpc::Supervisor::Underway::Reader underway,
                            kj::StringPtr again = "the same command");
kj::Exception stoppedBeforeItRan(kj::StringPtr name);
kj::Exception noSuchImage(kj::StringPtr image);
// The host has too little left for it.
kj::Exception noCapacity(kj::StringPtr name, rpc::Shortage::Reader shortage);
// What was asked for cannot be had of one that is in this state: to wait until that is over, or what to do first.
kj::Exception workspaceBusy(kj::StringPtr name, rpc::WorkspaceState state);

// Who asks, and so may do what is proposed to him: whoever may open bothyd's socket, or who has a session's token.
enum class Asker { OPERATOR, SESSION };

// Why the workspace is not connected, which `supervisor` has answered; none if it is.  `outcome` outlives the promise.
kj::Promise<kj::Maybe<kj::Exception>> whyNotConnected(
    rpc::Supervisor::Client supervisor, kj::StringPtr name,
    rpc::Supervisor::ConnectOutcome::Reader outcome, Asker asker);
// What lets a paused workspace go on.
kj::String howToResume(kj::StringPtr name, Asker asker);
// Why the workspace's agent has refused a lane; `user` is the one whose files were wanted.
kj::Exception describeRefusal(kj::StringPtr name, kj::StringPtr user, rpc::Refusal refusal);

// Why a lane to the workspace has ended, of which another is asked for; none where there is nothing to be told.
kj::Maybe<kj::String> describeEnd(kj::StringPtr name, rpc::LaneEnd why);

// The exit code is NOT_FOUND or NOT_EXECUTABLE where a shell would say so, else EXEC_FAILED.
kj::Exception describeFailure(rpc::StartFailure::Reader failed);

// Of a program that runs, what its user should know; or nothing.
kj::Maybe<kj::String> describeStart(rpc::Processes::ExecOutcome::Reader started);

// `what`: what was being done, "cannot read demo:/etc/passwd".
kj::Exception describeFailure(kj::StringPtr what, rpc::FileFailure::Reader failed);

// That the kernel has ended a process of the command's for want of memory; none: it has not.
kj::Maybe<kj::String> describeOutOfMemory(rpc::ExitStatus::Reader status);

// The exit code of whoever ran a command that ended so: 128 and the signal's number where one ended it.
// Throws if that is not known.
int exitCodeOf(rpc::ExitStatus::Reader status);

}  // namespace bothy
