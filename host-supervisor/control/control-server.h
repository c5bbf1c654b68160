#pragma once

#include <kj/async-io.h>
#include <kj/function.h>
#include <kj/timer.h>

#include "control/client-connection.h"
#include "control/client-identity.h"
#include "schema/supervisor.capnp.h"

namespace bothy {

// SO_PASSRIGHTS, from Linux 6.16 on, which the headers of older ones do not name.
constexpr int PASS_RIGHTS = 83;

// Serves whoever connects to a Unix socket: at most `maxConnections` at a time, each within the limits
// of limits.capnp.  One more waits until another leaves.
class ControlServer final: private kj::TaskSet::ErrorHandler {
public:
  // What a client gets.
  using Bootstrap = kj::Function<rpc::Supervisor::Client(ClientIdentity)>;

  // `timer` and `descriptors`, of what clients get, outlive it.
  ControlServer(kj::Timer& timer, const DescriptorTable& descriptors, Bootstrap bootstrap,
                uint32_t maxConnections);
  ~ControlServer() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(ControlServer);

  // Serves until dropped; fails if the socket does.  While this process has no files left (EMFILE, ENFILE) or no memory,
  // who comes waits.
  kj::Promise<void> listen(kj::ConnectionReceiver& receiver);

private:
  kj::Timer& timer;
  const DescriptorTable& descriptors;
  Bootstrap bootstrap;
  MessageBudget budget{CLIENTS_BYTES, CLIENT_SHARE_BYTES};
  uint64_t clients = 0;  // that came so far
  uint32_t free;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> waiting;
  kj::TaskSet connections;

  kj::Promise<kj::Own<kj::AsyncCapabilityStream>> accept(kj::ConnectionReceiver& receiver);
  void leave();
  void taskFailed(kj::Exception&& exception) override;
};

// A Unix socket at `path` (what is there is replaced), mode 0600, or 0660 for `group` if it is named.
kj::AutoCloseFd listenOn(kj::StringPtr path, kj::StringPtr group);

}  // namespace bothy
