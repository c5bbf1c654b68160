#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "process/spawn.h"

namespace bothy {

// Of a file that execve(2) refuses, so much is looked at: the "#!" line, or the program headers and the interpreter of
// an ELF file.
constexpr size_t MAX_HEAD_BYTES = 1024;

// What a child reads and writes while it shares the agent's memory, between clone3(2) and execve(2).  Everything that
// needs an allocation is made before.
struct ChildPlan {
  // What it does at once, and then waits for the three descriptors of its program.

  // Its end, which execve(2) and the end of the child close.  Of the other it gets a byte with the descriptors; where that is closed, it ends.
  int socket;
  int cgroupNamespace;  // to enter; or -1
  // Those to be reset.  Handlers are gone (CLONE_CLEAR_SIGHAND), or these are all signals and blocked.
  const int* ignoredSignals;
  size_t ignoredSignalCount;

  // What it runs, known when the descriptors come.

  const char* const* programs;
  // arguments[-1] is free, for the shell that runs a script without "#!".
  const char** arguments;
  const char** environment;
  const char* workingDirectory;
  // The program runs in "/" if it cannot be entered.
  bool fallBackToRoot;
  // The element of `environment` that is HOME=/ then; or null.
  const char** home;
  bool takeTerminal;
  bool liftProcessLimit;  // RLIMIT_NPROC, which counts by user
  bool setCredentials;
  uid_t uid;
  gid_t gid;
  const gid_t* groups;
  size_t groupCount;

  // What the child says.
  bool failed;
  SpawnFailure::Stage stage;
  int errorNumber;
  int workingDirectoryError;  // not 0: it fell back
  // Index of the program that is there, and that execve(2) refuses with `errorNumber`; or -1.
  int refused;
  mode_t refusedMode;
  bool mayExecute;  // as access(2) sees it
  bool wasRead;
  size_t headSize;
  char head[MAX_HEAD_BYTES];
};

// As `ps` shows a child that waits.
constexpr const char* WAITING_NAME = "bothy-next";

// Waits, and runs the program that `plan`, a ChildPlan, says then; or sets `failed` and ends.
[[noreturn]] void runChild(void* plan);

}  // namespace bothy
