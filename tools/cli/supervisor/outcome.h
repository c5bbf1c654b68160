#pragma once

#include <kj/exception.h>
#include <kj/string.h>

#include "schema/files.capnp.h"
#include "schema/process.capnp.h"
#include "schema/supervisor.capnp.h"

namespace bothy {

// What to tell the user about outcomes that are not the good one.  Every text of a peer is escaped.

kj::Exception noSuchWorkspace(kj::StringPtr name);
// An outcome that this program does not know.
kj::Exception newerSupervisor();
kj::Exception stoppedBeforeItRan(kj::StringPtr name);
kj::Exception workspaceBusy(kj::StringPtr name, rpc::WorkspaceState state);

// Throws unless the workspace is connected.
void requireConnected(kj::StringPtr name, rpc::Supervisor::ConnectOutcome::Reader outcome);

// The exit code is NOT_FOUND or NOT_EXECUTABLE where a shell would say so, else EXEC_FAILED.
kj::Exception describeFailure(rpc::StartFailure::Reader failed);

// Of a program that runs, what its user should know; or nothing.
kj::Maybe<kj::String> describeStart(rpc::Processes::ExecOutcome::Reader started);

// `what`: what was being done, "cannot read demo:/etc/passwd".
kj::Exception describeFailure(kj::StringPtr what, rpc::FileFailure::Reader failed);

// The exit code of whoever ran a command that ended so: 128 and the signal's number where one ended it.
// Throws if that is not known.
int exitCodeOf(rpc::ExitStatus::Reader status);

// Names of enumerants as people read them.
kj::StringPtr nameOf(rpc::WorkspaceState state);
kj::StringPtr nameOf(rpc::Stage stage);
kj::StringPtr nameOf(rpc::Cause cause);
kj::StringPtr nameOf(rpc::Verdict verdict);

}  // namespace bothy
