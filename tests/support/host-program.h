#pragma once

#include <kj/array.h>
#include <kj/string.h>
#include <sys/types.h>

#include <cstdint>

namespace bothy {

struct FinishedProgram {
  int status;  // exit code, or 128 + the signal
  kj::String out;
  kj::String err;
};

// Runs a program of this host with no input, to its end, at most PROGRAM_LIMIT_SECONDS (then it is killed).
FinishedProgram runProgram(kj::ArrayPtr<const kj::StringPtr> argv);

// The same, and fails the test unless the program exits with 0; returns its standard output.
kj::String hostOutput(kj::ArrayPtr<const kj::StringPtr> argv);

// Stops a program by SIGSTOP and returns when none of its threads runs any more, which is not yet so when kill(2) returns.  Fails the
// test when one still does after STOP_LIMIT_SECONDS.  The caller has it go on by SIGCONT.
void stopAndWait(pid_t pid);

constexpr uint32_t STOP_LIMIT_SECONDS = 60;

constexpr uint32_t PROGRAM_LIMIT_SECONDS = 300;

}  // namespace bothy
