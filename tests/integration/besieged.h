#pragma once

#include <kj/async-io.h>
#include <kj/function.h>
#include <kj/vector.h>

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
  // Whether an echo beside the attacker took at most twice as long as beside the busy program, at the 99th percentile: by the
  // process's own CPU time, which no other program of the host changes, and with BOTHY_FULL by the clock too.
  bool isInTime() const;
  // All that was measured, for people.
  kj::String figures() const;

private:
  static constexpr bool KEEPS_FREED_MEMORY = __has_feature(address_sanitizer);

  kj::AsyncIoContext& io;
  const pid_t pid;
  kj::Function<kj::Promise<void>()> echo;
  uint64_t before = 0;
  uint64_t most = 0;
  // What an echo took: by the clock, and of the process's CPU.
  struct Taken {
    kj::Duration time = 0 * kj::NANOSECONDS;
    kj::Duration cpu = 0 * kj::NANOSECONDS;

    bool isWithinTwice(const Taken& other) const;
  };
  // 99th percentiles, of echoes beside the attacker and beside the busy program.
  Taken p99Attacked;
  Taken p99Beside;

  Taken echoOnce();
  static Taken p99Of(const kj::Vector<Taken>& echoes);
  void compare(HostileProcess& attacker);
};

}  // namespace bothy
