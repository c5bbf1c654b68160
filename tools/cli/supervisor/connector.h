#pragma once

#include <kj/async-io.h>
#include <kj/function.h>
#include <kj/timer.h>

#include "schema/session-gate.capnp.h"
#include "schema/supervisor.capnp.h"

namespace bothy {

// A connection to bothyd.  Dropping it closes it; what came over it is dead then, and lanes end.
class SupervisorLink {
public:
  virtual rpc::Supervisor::Client supervisor() = 0;
  // The session whose token is used; fails with a failure() where none is, or it is refused.
  virtual kj::Promise<rpc::Session::Client> session();
  // Resolves when the connection has ended; never fails.
  virtual kj::Promise<void> onDisconnect() = 0;
};

// The way to bothyd.
class Connector {
public:
  // Fails with a failure() that says what to do; with a passingFailure() if bothyd is not running.
  virtual kj::Own<SupervisorLink> connect() = 0;
  virtual void useSocket(kj::StringPtr path) = 0;
  // What connect() gives from now on is what a session's token gives.
  virtual void useSession(kj::String token);
  virtual bool usesSession() { return false; }
};

// Connects to bothyd's Unix socket.
class SocketConnector final: public Connector {
public:
  static constexpr kj::StringPtr DEFAULT_SOCKET = "/run/bothy/bothyd.sock"_kj;

  // How long bothyd may take for its first answer before it is said, once, that it is waited for.
  static constexpr kj::Duration SILENCE = 5 * kj::SECONDS;

  // `note` says something to people.  All of them outlive the links, too.
  SocketConnector(kj::LowLevelAsyncIoProvider& io, kj::Timer& timer, kj::StringPtr path,
                  kj::Function<void(kj::StringPtr)> note)
      : io(io), timer(timer), path(kj::str(path)), note(kj::mv(note)) {}

  kj::Own<SupervisorLink> connect() override;
  void useSocket(kj::StringPtr newPath) override { path = kj::str(newPath); }

private:
  kj::LowLevelAsyncIoProvider& io;
  kj::Timer& timer;
  kj::String path;
  kj::Function<void(kj::StringPtr)> note;
  bool isSilenceNoted = false;

  kj::Promise<void> noteSilence(rpc::Supervisor::Client supervisor);
};

// A link over any Unix socket.
kj::Own<SupervisorLink> linkOver(kj::Own<kj::AsyncCapabilityStream> stream);

}  // namespace bothy
