#pragma once

#include <kj/async-io.h>
#include <kj/function.h>
#include <kj/vector.h>
#include <sys/types.h>

#include "support/attacker.h"

namespace bothy {

// Whoever is attacked, as others see it: what it takes, and whether it answers them in time.
class Besieged final {
public:
  struct Effort {
    // By turns beside the attacker and beside the busy program; LEAST_TURNS at least.
    kj::uint turns = usualTurns();
    // All of that again where others met one side more than the other.  Once, where an attack that is over does not come again.
    kj::uint tries = USUAL_TRIES;
    // Which echo counts, of each hundred, by CPU time: where an attack is one message, the one that meets it, which is the last.
    kj::uint percentile = 99;
  };
  static constexpr kj::uint LEAST_TURNS = 6;
  static constexpr kj::uint USUAL_TRIES = 3;
  static kj::uint usualTurns();

  // `pid`: the process that is attacked.  `echo` asks it for something over a connection that is not the attacker's.
  Besieged(kj::AsyncIoContext& io, pid_t pid, kj::Function<kj::Promise<void>()> echo)
      : Besieged(io, pid, kj::mv(echo), Effort()) {}
  Besieged(kj::AsyncIoContext& io, pid_t pid, kj::Function<kj::Promise<void>()> echo,
           Effort effort);

  // Echoes beside `attacker` for as long as it goes on, and by turns beside a program which burns CPU and knows nothing of us; then a few
  // times more.  Fails where no echo comes back.
  void outlast(Attacker& attacker);

  // Whether the process took at most so much more than when this was made, in bytes.  Always under AddressSanitizer, which keeps
  // what is freed.
  bool isWithin(uint64_t limit) const { return KEEPS_FREED_MEMORY || growth() <= limit; }
  uint64_t growth() const { return most - before; }
  // Whether an echo beside the attacker took at most twice as long as beside the busy program, by the process's
  // own CPU time, which no other program of the host changes, and with BOTHY_FULL by the clock too, at the 99th percentile; where the
  // attack was over before, the echo that took longest, by CPU time.
  bool isInTime() const;
  // All that was measured, for people.
  kj::String figures() const;

private:
  static constexpr bool KEEPS_FREED_MEMORY = __has_feature(address_sanitizer);

  kj::AsyncIoContext& io;
  const pid_t pid;
  kj::Function<kj::Promise<void>()> echo;
  const Effort effort;
  uint64_t before = 0;
  uint64_t most = 0;
  // What an echo took: by the clock, and of the process's CPU.
  struct Taken {
    kj::Duration time = 0 * kj::NANOSECONDS;
    kj::Duration cpu = 0 * kj::NANOSECONDS;
  };
  // Those that count, of echoes beside the attacker and beside the busy program.
  Taken attacked;
  Taken beside;
  // The attack was over before so many echoes that one of a hundred could be told.
  bool isBrief = false;

  Taken echoOnce();
  kj::uint cpuPercentile() const;
  Taken oneThatCounts(const kj::Vector<Taken>& echoes) const;
  void compare(Attacker& attacker);
};

}  // namespace bothy
