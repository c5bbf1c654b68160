#pragma once

#include <kj/async-io.h>

#include "support/attack-messages.h"

namespace bothy {

// An end of a lane that keeps no rule.  As an agent it begins with its Welcome, as a client behind its Grant.
class HostilePeer final {
public:
  // `stream` outlives it.
  HostilePeer(kj::AsyncIoStream& stream, AttackPlan plan);

  // Attacks until the other end closes the connection, then resolves.  One that the other end no longer reads from goes on.
  kj::Promise<void> attack();

private:
  kj::AsyncIoStream& stream;
  const AttackPlan plan;
  AttackMessages messages;

  kj::Promise<void> write();
  kj::Promise<void> readAll();
  kj::Promise<void> answerAll();
};

}  // namespace bothy
