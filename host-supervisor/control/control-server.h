#pragma once

#include <kj/async-io.h>
#include <kj/timer.h>

#include "schema/supervisor.capnp.h"

namespace bothy {

// Serves one capability to whoever connects: at most `maxConnections` at a time, each within the limits
// of wire/rpc-connection.h.  One more waits until another leaves.
class ControlServer final: private kj::TaskSet::ErrorHandler {
public:
  ControlServer(kj::Timer& timer, rpc::Supervisor::Client bootstrap, uint32_t maxConnections);
  ~ControlServer() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(ControlServer);

  // Serves until dropped; fails if the socket does.  While this process has no files left (EMFILE, ENFILE) or no memory,
  // who comes waits.
  kj::Promise<void> listen(kj::ConnectionReceiver& receiver);

private:
  kj::Timer& timer;
  rpc::Supervisor::Client bootstrap;
  uint32_t free;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> waiting;
  kj::TaskSet connections;

  kj::Promise<kj::Own<kj::AsyncIoStream>> accept(kj::ConnectionReceiver& receiver);
  void leave();
  void taskFailed(kj::Exception&& exception) override;
};

// A Unix socket at `path` (what is there is replaced), mode 0600, or 0660 for `group` if it is named.
kj::AutoCloseFd listenOn(kj::StringPtr path, kj::StringPtr group);

}  // namespace bothy
