#pragma once

#include <kj/async-io.h>
#include <kj/function.h>

#include "support/hostile-process.h"

namespace bothy {

// Whoever is attacked, as others see it: what it takes, and whether it answers them in time.
class Besieged final {
public:
  // `pid`: the process that is attacked.  `echo` asks it for something over a connection that is not the attacker's.
  Besieged(kj::AsyncIoContext& io, pid_t pid, kj::Function<kj::Promise<void>()> echo);

  // Echoes beside `attacker` for as long as it goes on, and by turns beside a program which burns CPU and knows nothing of us; then a few
  // times more.  Fails where no echo comes back.
  void outlast(HostileProcess& attacker);

  // Whether the process took at most so much more than when this was made, in bytes.  Always under AddressSanitizer, which keeps
  // what is freed.
  bool isWithin(uint64_t limit) const { return KEEPS_FREED_MEMORY || growth() <= limit; }
  uint64_t growth() const { return most - before; }
  // Whether the echoes beside the attacker had a p99 of at most twice that beside the busy program.
  bool isInTime() const { return p99Attacked <= 2 * p99Beside; }
  // All that was measured, for people.
  kj::String figures() const;

private:
  static constexpr bool KEEPS_FREED_MEMORY = __has_feature(address_sanitizer);

  kj::AsyncIoContext& io;
  const pid_t pid;
  kj::Function<kj::Promise<void>()> echo;
  uint64_t before = 0;
  uint64_t most = 0;
  // Of echoes beside the attacker, and beside the busy program.
  kj::Duration p99Attacked = 0 * kj::NANOSECONDS;
  kj::Duration p99Beside = 0 * kj::NANOSECONDS;

  // How long it took.
  kj::Duration echoOnce();
  void compare(HostileProcess& attacker);
};

}  // namespace bothy
