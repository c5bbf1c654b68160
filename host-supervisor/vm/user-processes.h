#pragma once

#include <stdint.h>
#include <sys/types.h>

#include <kj/array.h>
#include <kj/async-unix.h>
#include <kj/string.h>

#include "loop/process-handle.h"

namespace bothy {

// The processes of one user of this host.  What runs as a machine's user is the machine's.
class UserProcesses final {
public:
  // `sender`: see killAllOf().
  UserProcesses(kj::UnixEventPort& port, uint32_t user, uint32_t sender)
      : port(port), user(user), sender(sender) {}

  void signal(int signum) const;
  // Kills all of them, however fast they fork, and returns when a look at the whole host finds none.  Throws where it cannot be known.
  kj::Promise<void> kill() const;
  // Whether one of them runs `program`, also if that was replaced on the disk meanwhile.
  bool isAnyRunning(kj::StringPtr program) const;

private:
  kj::UnixEventPort& port;
  uint32_t user;
  uint32_t sender;

  // False only where there is none, at a price that does not grow with the processes of others; true also of those that have ended and that
  // nobody has reaped.
  bool mayBeAny() const;
  // Those that have not ended, by a look at each process of the host where there may be any.
  kj::Array<kj::Own<ProcessHandle>> living() const;
};

}  // namespace bothy
