#pragma once

#include <kj/one-of.h>

#include "process/programs.h"
#include "process/start-failure.h"

namespace bothy {

enum class EmptyArguments { REFUSED, LOGIN_SHELL };

// Turns a command into a request to spawn: finds the user, makes the environment and the user's runtime directory,
// checks the limits.
// Fds and cgroup remain to be filled in.  `term`: TERM, unless the command sets it itself.
kj::OneOf<SpawnRequest, StartFailure> prepareCommand(const Programs& programs,
                                                     rpc::Command::Reader command,
                                                     EmptyArguments emptyArguments,
                                                     kj::Maybe<kj::StringPtr> term = nullptr);

}  // namespace bothy
