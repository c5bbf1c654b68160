#pragma once

namespace bothy {

// Packing and unpacking of tar trees happens in a child of the file worker that runs the agent's own
// program again: a fault in the archive code is a fault of that child.  main() begins with
//
//     if (isArchiveWorker(argc, argv)) return archiveWorkerMain(argc, argv);
bool isArchiveWorker(int argc, const char* const* argv);

// Descriptor 0 is the directory, 1 the archive (a pipe), 2 takes the report: one Files.TreeOutcome
// message.  Returns the exit code; only a worker that has reported returns 0.
//
// "unpack-whole" wants the CONFIRMATION on 2 after the end of the archive, and gives up without it.  SIGTERM makes
// it give up at any time: it removes what it made, and reports.
int archiveWorkerMain(int argc, const char* const* argv);

constexpr char CONFIRMATION = '.';

}  // namespace bothy
