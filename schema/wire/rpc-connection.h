#pragma once

#include <kj/async-io.h>

#include "wire/message-budget.h"
#include "wire/message-guard.h"
#include "wire/rpc-network.h"

namespace bothy {

// One Cap'n Proto RPC connection over a byte stream, with the limits of limits.capnp set, and with a MessageGuard where the peer is not
// trusted: the agent's end of a lane is one.  `Lane`, the other end, and `ClientConnection`, bothyd's end of a client's connection, are
// made of the same parts.
//
// Owns the stream.  Dropping it closes the connection: calls under way on it, in both directions, are
// cancelled, and the peer sees DISCONNECTED.
class RpcConnection final {
public:
  // The side that offers `bootstrap` to the peer.
  RpcConnection(kj::Own<kj::AsyncIoStream> stream, capnp::Capability::Client bootstrap);
  // The same with a peer that is not trusted.  `timer`, `budget` and `clock` outlive it, `holder` is whose it is: see MessageGuard.
  RpcConnection(kj::Own<kj::AsyncIoStream> stream, capnp::Capability::Client bootstrap,
                kj::Timer& timer, GuardRules rules, MessageBudget& budget,
                kj::Maybe<const kj::MonotonicClock&> clock = nullptr,
                kj::StringPtr holder = nullptr);
  // The side that only asks.
  explicit RpcConnection(kj::Own<kj::AsyncIoStream> stream);
  // The same, over a Unix socket: each message from the peer may bring so many descriptors.
  RpcConnection(kj::Own<kj::AsyncCapabilityStream> stream, kj::uint maxDescriptors);
  ~RpcConnection() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(RpcConnection);

  // The capability that the peer offers first.  Broken if it offers none.
  capnp::Capability::Client bootstrap();

  // Resolves when the connection has ended, whoever ended it, or its guard wants it dropped; never fails.
  kj::Promise<void> onDisconnect();

  // The guard of a connection that was made with one.
  MessageGuard& requireGuard();

private:
  kj::Own<kj::AsyncIoStream> stream;
  kj::Own<capnp::MessageStream> messages;
  kj::Maybe<MessageGuard> guard;
  RpcNetwork network;
  capnp::RpcSystem<capnp::rpc::twoparty::VatId> system;
};

// The limits of one message, from limits.capnp.
capnp::ReaderOptions readerOptions();

}  // namespace bothy
