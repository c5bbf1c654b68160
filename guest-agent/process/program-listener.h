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

// Programs that run and were started for clients.
struct RunningPrograms {
  kj::uint commands = 0;
  kj::uint terminals = 0;

  kj::uint& of(ProgramKind kind) { return kind == ProgramKind::TERMINAL ? terminals : commands; }
  bool operator==(const RunningPrograms&) const = default;
};

// Hears of what programs do that were started for clients.
class ProgramListener {
public:
  virtual void programEnded(const ProgramEnd& end) = 0;
  // One has begun or ended.
  virtual void runningChanged(RunningPrograms) {}
  // A terminal was given input, and has taken it.
  virtual void inputCame() {}
};

}  // namespace bothy
