#pragma once

#include <kj/async-io.h>

#include "schema/supervisor.capnp.h"

namespace bothy {

// A connection to bothyd.  Dropping it closes it; what came over it is dead then, and lanes end.
class SupervisorLink {
public:
  virtual rpc::Supervisor::Client supervisor() = 0;
  // Resolves when the connection has ended; never fails.
  virtual kj::Promise<void> onDisconnect() = 0;
};

// The way to bothyd.
class Connector {
public:
  // Fails with a failure() that says what to do; with a passingFailure() if bothyd is not running.
  virtual kj::Own<SupervisorLink> connect() = 0;
  virtual void useSocket(kj::StringPtr path) = 0;
};

// Connects to bothyd's Unix socket.
class SocketConnector final: public Connector {
public:
  static constexpr kj::StringPtr DEFAULT_SOCKET = "/run/bothy/bothyd.sock"_kj;

  SocketConnector(kj::LowLevelAsyncIoProvider& io, kj::StringPtr path)
      : io(io), path(kj::str(path)) {}

  kj::Own<SupervisorLink> connect() override;
  void useSocket(kj::StringPtr newPath) override { path = kj::str(newPath); }

private:
  kj::LowLevelAsyncIoProvider& io;
  kj::String path;
};

// A link over any Unix socket.
kj::Own<SupervisorLink> linkOver(kj::Own<kj::AsyncCapabilityStream> stream);

}  // namespace bothy
