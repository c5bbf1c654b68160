#pragma once

#include <kj/string.h>
#include <sys/types.h>

#include "process/exit-status.h"
#include "process/program-kind.h"

namespace bothy {

// The end of a program that was started for a client.
struct ProgramEnd {
  pid_t pid;
  ProgramKind kind;
  kj::String name;  // argv[0], as far as rpc::MAX_EVENT_NAME_BYTES
  ExitStatus status;

  ProgramEnd clone() const { return {pid, kind, kj::str(name), status}; }
};

// Hears of the ends of programs.
class ProgramListener {
public:
  virtual void programEnded(const ProgramEnd& end) = 0;
};

}  // namespace bothy
