#pragma once

#include <kj/async-io.h>
#include <kj/function.h>
#include <kj/vector.h>

#include "support/hostile-process.h"

namespace bothy {

// Whoever is attacked, as others see it: what it takes, and whether it answers them.
class Besieged final {
public:
  // `pid`: the process that is attacked.  `echo` asks it for something over a connection that is not the attacker's.
  Besieged(kj::AsyncIoContext& io, pid_t pid, kj::Function<kj::Promise<void>()> echo);

  // Echoes while `attacker` goes on and for a moment at least, and then as often again.  Fails where none comes back.
  void outlast(HostileProcess& attacker);

  // Whether the process took at most so much more than when this was made, in bytes.  Always under AddressSanitizer, which keeps
  // what is freed.
  bool isWithin(uint64_t limit) const { return KEEPS_FREED_MEMORY || growth() <= limit; }
  uint64_t growth() const { return most - before; }
  // The growth, and how long the echoes took, beside others while a program took the CPU that knows nothing of us.  For people,
  // when the attack is over.
  kj::String figures();

private:
  static constexpr bool KEEPS_FREED_MEMORY = __has_feature(address_sanitizer);

  kj::AsyncIoContext& io;
  const pid_t pid;
  kj::Function<kj::Promise<void>()> echo;
  uint64_t before = 0;
  uint64_t most = 0;
  kj::Vector<kj::Duration> delays;

  void echoOnce();
  void echoFor(kj::Duration duration, kj::Function<bool()> isOver);
};

}  // namespace bothy
