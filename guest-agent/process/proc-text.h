#pragma once

#include <kj/string.h>
#include <stdint.h>
#include <sys/types.h>

namespace bothy {

// Texts of /proc (proc(5)) as values.

// What /proc/PID/stat says.
struct ProcessStat {
  pid_t pid;
  char state;
  pid_t parent;
  pid_t group;
  pid_t session;
  int terminal;  // 0: it has none

  bool hasEnded() const { return state == 'Z' || state == 'X'; }

  // None: it is no such text.
  static kj::Maybe<ProcessStat> parse(kj::StringPtr text);
};

// A line "KEY:  NUMBER" of /proc/meminfo or /proc/PID/status; 0 where there is none.
uint64_t parseField(kj::StringPtr text, kj::StringPtr key);

}  // namespace bothy
