#pragma once

#include <kj/string.h>
#include <stdint.h>

namespace bothy {

constexpr kj::StringPtr ACTION_DIRECTORY = "/var/log/bothy"_kj;
// Of both files together.
constexpr uint64_t MAX_ACTION_BYTES = 8 * 1024 * 1024;

// The log of actions is written by a process of its own, which runs the agent's program again: a disk that hangs or is full is that
// process's affair.  main() begins with
//
//     if (isActionWriter(argc, argv)) return actionWriterMain(argv);
//
// Its argument is the directory (ActionFile).
constexpr kj::StringPtr ACTION_WRITER = "--action-writer"_kj;
bool isActionWriter(int argc, const char* const* argv);

// Writes the lines that come over descriptor 0 until its end.  Those that cannot be written are lost, and counted in the next that can.  SIGTERM
// does not end it: it has the last lines when a machine ends.
int actionWriterMain(const char* const* argv);

}  // namespace bothy
