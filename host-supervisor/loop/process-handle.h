#pragma once

#include <stdint.h>
#include <sys/types.h>

#include <kj/async-unix.h>
#include <kj/io.h>

namespace bothy {

// What names a process for good: a pid may be used again, a pid with its start time is not.
struct ProcessIdentity {
  pid_t pid;
  // Clock ticks from the host's boot to its start: field 22 of /proc/PID/stat.
  uint64_t startTime;

  bool operator==(const ProcessIdentity& other) const = default;
};

// One process of the host, child or not, held by its pidfd.  Dropping it does nothing to the process.
class ProcessHandle final {
public:
  // nullptr if no such process exists, or another one has the pid by now.  Both throw where a process that exists cannot be held,
  // for want of descriptors for example.
  static kj::Maybe<kj::Own<ProcessHandle>> open(kj::UnixEventPort& port, ProcessIdentity identity);
  // Whatever process has the pid now.
  static kj::Maybe<kj::Own<ProcessHandle>> open(kj::UnixEventPort& port, pid_t pid);

  ProcessHandle(kj::UnixEventPort& port, ProcessIdentity identity, kj::AutoCloseFd pidfd);
  KJ_DISALLOW_COPY_AND_MOVE(ProcessHandle);

  const ProcessIdentity& identity() const { return id; }

  // Whose it is: its effective user id.  nullptr if it has ended.
  kj::Maybe<uint32_t> user() const;

  // Resolves when the process has ended.  Any number of callers.
  kj::Promise<void> onExit();
  bool hasExited() const;

  // No effect on one that has ended.
  void signal(int signum) const;

private:
  ProcessIdentity id;
  kj::AutoCloseFd pidfd;
  kj::UnixEventPort::FdObserver observer;
  kj::ForkedPromise<void> exited;

  kj::Promise<void> watch();
};

// The start time of the process that has the pid now; nullptr if there is none.  Throws where that cannot be known.
kj::Maybe<uint64_t> processStartTime(pid_t pid);

}  // namespace bothy
