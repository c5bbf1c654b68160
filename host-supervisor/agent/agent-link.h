#pragma once

#include <kj/async-io.h>
#include <kj/timer.h>

#include "schema/agent.capnp.h"

namespace bothy {

// The host's end of one VM's agent: lanes, opened when first wanted, each a vsock connection that has
// said hello.  Dropping it fails every call that waits with DISCONNECTED.
class AgentLink {
public:
  // Which connection a capability comes over: bulk bytes do not delay keystrokes.
  enum class Lane { INTERACTIVE, PROCESS, BULK };

  // The agent over `lane`.  Dials and says hello if need be; callers who arrive meanwhile join.  A lane
  // that has broken is dialled again at the next call.  Fails with DISCONNECTED when the agent cannot be
  // reached within HELLO_LIMIT, FAILED when it refuses the secret, UNIMPLEMENTED when it is of another
  // protocol generation.
  virtual kj::Promise<rpc::Agent::Client> agent(Lane lane) = 0;

  // Waits for a VM that is booting: tries again until it answers.  No deadline of its own.
  virtual kj::Promise<void> ready() = 0;
};

constexpr kj::Duration HELLO_LIMIT = 5 * kj::SECONDS;

// `dial` opens a stream to the agent's port.
kj::Own<AgentLink> newAgentLink(kj::Timer& timer, kj::Array<const kj::byte> secret,
                                kj::Function<kj::Promise<kj::Own<kj::AsyncIoStream>>()> dial);

}  // namespace bothy
