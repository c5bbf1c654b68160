#pragma once

#include <kj/exception.h>
#include <kj/string.h>

namespace bothy {

// What `bothy` exits with, where it is not a command's own code.  `bothy help exit-codes` tells users.
enum ExitCode : int {
  SUCCESS = 0,
  FAILURE = 1,
  WRONG_USAGE = 2,
  TIMED_OUT = 124,  // exec --timeout, as timeout(1)
  EXEC_FAILED =
      125,  // exec and shell: bothy's own failure, so that a command's 1 means the command
  NOT_EXECUTABLE = 126,
  NOT_FOUND = 127,
  SIGNAL_BASE = 128,                 // plus the number of the signal that ended it
  OUTPUT_CLOSED = SIGNAL_BASE + 13,  // as a program exits that SIGPIPE ended
};

// A failure that the user can do something about: `message` is one line that says what happened and
// what to do.  An exception, because it ends a command from wherever it is found; it crosses promises.
kj::Exception failure(kj::StringPtr message, int exitCode = FAILURE);

// Whether one of these made it.
bool isFailure(const kj::Exception& exception);

// The same where the failure passes by itself: whoever has patience tries again.
kj::Exception passingFailure(kj::StringPtr message);
bool isPassingFailure(const kj::Exception& exception);

// The same where a workspace does not run: whoever may start it does.
kj::Exception notRunningFailure(kj::StringPtr message, int exitCode = FAILURE);
bool isNotRunningFailure(const kj::Exception& exception);

// Nobody reads standard output any more.  A command that it ends says no word about it, as one that SIGPIPE ends.
kj::Exception outputClosed();
bool isOutputClosed(const kj::Exception& exception);

// Standard input was closed by whoever called bothy.  A command that only passes it on takes it for an empty one.
kj::Exception inputClosed();
bool isInputClosed(const kj::Exception& exception);

struct Failure {
  int exitCode;
  kj::String message;  // one line, fit for a terminal; empty: nothing is to be told
};

// What bothyd says itself: that it turns this client away, or that it is OVERLOADED.  It passes.
bool isWordOfSupervisor(const kj::Exception& exception);

// What to tell the user about any exception that ended a command, a fault included.
Failure describe(const kj::Exception& exception);

}  // namespace bothy
