#pragma once

#include <kj/async-io.h>
#include <sys/types.h>

#include "support/attack.h"
#include "support/attacker.h"

namespace bothy {

// A HostilePeer that is a process of its own: what it takes is not what its victim takes.
//
// Dropping it kills the process and waits for it; it does not outlive the test in any case.
class HostileProcess final: public Attacker {
public:
  // `stream` has a descriptor, and nobody else uses it from here on.
  HostileProcess(kj::Own<kj::AsyncIoStream> stream, AttackPlan plan);
  ~HostileProcess() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(HostileProcess);

  // Whether the other end has closed the connection.
  bool hasEnded() override;
  void pause() override;
  void goOn() override;

private:
  pid_t child;
  bool ended = false;
};

}  // namespace bothy
