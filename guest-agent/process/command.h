#pragma once

#include <kj/one-of.h>

#include "process/process-host.h"
#include "schema/process.capnp.h"

namespace bothy {

// StartFailure of process.capnp as a value.
struct StartFailure {
  rpc::StartFailure::Reason reason;
  kj::String subject;
  int errorNumber = 0;

  void writeTo(rpc::StartFailure::Builder builder) const;
};

enum class EmptyArguments { REFUSED, LOGIN_SHELL };

// Turns a command into a request to spawn: finds the user, makes the environment, checks the limits.
// Fds and cgroup remain to be filled in.  `term`: TERM, unless the command sets it itself.
kj::OneOf<SpawnRequest, StartFailure> prepareCommand(const ProcessHost& host,
                                                     rpc::Command::Reader command,
                                                     EmptyArguments emptyArguments,
                                                     kj::Maybe<kj::StringPtr> term = nullptr);

// What a failed spawn means to whoever gave the command.
StartFailure explain(const SpawnFailure& failure, kj::StringPtr program,
                     kj::StringPtr workingDirectory);

}  // namespace bothy
