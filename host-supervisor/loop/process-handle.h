#pragma once

#include <stdint.h>
#include <sys/types.h>

#include <kj/async-unix.h>
#include <kj/time.h>

namespace bothy {

// What names a process for good: a pid may be used again, a pid with its start time is not.
struct ProcessIdentity {
  pid_t pid;
  // Clock ticks from the host's boot to its start: field 22 of /proc/PID/stat.
  uint64_t startTime;

  bool operator==(const ProcessIdentity& other) const = default;
};

// One process, child or not.  Dropping it does nothing to the process.
class ProcessHandle {
public:
  // Of this host, held by its pidfd.  nullptr if no such process exists, or another one has the pid by now.  Both throw where a process that exists cannot be held,
  // for want of descriptors for example.
  static kj::Maybe<kj::Own<ProcessHandle>> open(kj::UnixEventPort& port, ProcessIdentity identity);
  // Whatever process has the pid now.
  static kj::Maybe<kj::Own<ProcessHandle>> open(kj::UnixEventPort& port, pid_t pid);

  virtual const ProcessIdentity& identity() const = 0;

  // Whose it is: its effective user id.  nullptr if it has ended.
  virtual kj::Maybe<uint32_t> user() const = 0;

  // Resolves when the process has ended.  Any number of callers.
  virtual kj::Promise<void> onExit() = 0;
  virtual bool hasExited() const = 0;

  // No effect on one that has ended.
  virtual void signal(int signum) const = 0;
};

// What it has taken of the processors by all its threads, in the kernel's ticks; also between its end and the moment when its parent waits for it.
// nullptr: it is gone.
kj::Maybe<kj::Duration> processorTimeOf(const ProcessIdentity& identity);

// The start time of the process that has the pid now; nullptr if there is none.  Throws where that cannot be known.
kj::Maybe<uint64_t> processStartTime(pid_t pid);

}  // namespace bothy
