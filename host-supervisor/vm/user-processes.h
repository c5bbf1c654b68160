#pragma once

#include <stdint.h>
#include <sys/types.h>

#include <kj/array.h>
#include <kj/async-unix.h>
#include <kj/string.h>

namespace bothy {

// The processes of one user of this host.  What runs as a machine's user is the machine's.
class UserProcesses final {
public:
  UserProcesses(kj::UnixEventPort& port, uint32_t user) : port(port), user(user) {}

  void signal(int signum) const;
  // Returns when those that there were have ended.
  kj::Promise<void> kill() const;
  // Whether one of them runs `program`, also if that was replaced on the disk meanwhile.
  bool isAnyRunning(kj::StringPtr program) const;

private:
  kj::UnixEventPort& port;
  uint32_t user;

  kj::Array<pid_t> list() const;
};

}  // namespace bothy
