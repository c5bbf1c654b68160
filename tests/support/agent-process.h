#pragma once

#include <kj/async-io.h>
#include <kj/io.h>
#include <sys/types.h>

#include "schema/agent.capnp.h"
#include "support/greeted-lane.h"

namespace bothy {

// A real agent process that serves a socket of this test, without a machine, as the test's user.
//
// Dropping it kills the process and waits for it; it does not outlive the test in any case.
class AgentProcess {
public:
  explicit AgentProcess(kj::AsyncIoContext& io);
  ~AgentProcess() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(AgentProcess);

  // A new connection that has said nothing.
  kj::Own<kj::AsyncIoStream> dialRaw();
  // One that was granted everything that `purpose` offers.
  kj::Own<Lane> enter(rpc::Purpose purpose);

  kj::ArrayPtr<const kj::byte> secret() const { return secretBytes; }
  pid_t pid() const { return child; }

private:
  kj::AsyncIoContext& io;
  kj::Array<kj::byte> secretBytes;
  kj::AutoCloseFd listener;
  pid_t child;
};

// Starts the agent with descriptors 3 (its socket) and 4 (its secret).
pid_t startAgent(int socket, int secret);

// A descriptor from which `secret` can be read to its end.
kj::AutoCloseFd pipeWith(kj::ArrayPtr<const kj::byte> secret);

}  // namespace bothy
