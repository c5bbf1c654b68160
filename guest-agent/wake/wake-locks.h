#pragma once

#include <kj/async-unix.h>
#include <kj/io.h>

#include "process/programs.h"
#include "wake/wake-summary.h"

namespace bothy {

constexpr kj::StringPtr WAKE_SOCKET = "/run/bothy/wake"_kj;

// Wake locks that programs of the machine take over a socket.  The agent only sees that somebody comes: the first one begins a process (wake-service.h)
// that speaks to all of them, and tells what there is.
class WakeLocks final {
public:
  struct Options {
    kj::String socket = kj::str(WAKE_SOCKET);
    // A path: what is started.
    kj::String program = kj::str("/proc/self/exe");
  };
  using Tell = kj::Function<void(const WakeSummary&)>;
  // `programs` outlives it.  Fails where the socket cannot be made.
  WakeLocks(Programs& programs, Options options, Tell tell);
  KJ_DISALLOW_COPY_AND_MOVE(WakeLocks);

  // After a service has ended, until the next is started.
  static constexpr kj::Duration RESTART_PAUSE = 1 * kj::SECONDS;

private:
  Programs& programs;
  const Options options;
  Tell tell;
  kj::AutoCloseFd listener;
  kj::UnixEventPort::FdObserver observer;
  kj::Promise<void> serving;

  kj::Promise<void> serve();
  kj::Promise<void> runService();
  bool isWanted() const;
};

}  // namespace bothy
