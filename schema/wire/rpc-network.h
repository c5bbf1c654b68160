#pragma once

#include <capnp/rpc-twoparty.h>

#include "wire/message-guard.h"

namespace bothy {

// What is under way of one `-> stream` sequence before its sender waits: so many of its largest message,
// which keeps every hop between two programs busy, within bounds in bytes.  A terminal sends little at a
// time and a stalled viewer of it holds little; a file sends much.
constexpr size_t WINDOW_MESSAGES = 4;
constexpr size_t LEAST_WINDOW_BYTES = 64 * 1024;
constexpr size_t MOST_WINDOW_BYTES = 1024 * 1024;
// And no more messages than this, however small: each takes some KiB of whoever has not answered it.
constexpr unsigned WINDOW_CALLS = 64;

// capnp::TwoPartyVatNetwork with a flow control of its own: the window above in place of SO_SNDBUF,
// which tells nothing of a vsock and too little of a Unix socket, and one that survives its connection.
//
// Cap'n Proto 1.4's own crashes when a connection ends while answers to `-> stream` calls are
// outstanding on a capability that was dropped: the last answer's promise owns the connection state,
// which owns the controller, whose task is just then destroying that promise.  Here the answers are
// awaited by the network, which outlives both, and the controller is told by fulfillers that own
// nothing.
//
// To be declared before the RpcSystem that uses it.
class RpcNetwork final: public capnp::TwoPartyVatNetwork, private kj::TaskSet::ErrorHandler {
public:
  using TwoPartyVatNetwork::TwoPartyVatNetwork;
  // `guard` outlives it: it is told what waits to be written, and senders of `-> stream` calls wait for its room too.  A message
  // may bring so many descriptors.
  RpcNetwork(MessageGuard& guard, kj::uint maxDescriptors, capnp::rpc::twoparty::Side side,
             capnp::ReaderOptions options);
  RpcNetwork(MessageGuard& guard, capnp::rpc::twoparty::Side side, capnp::ReaderOptions options)
      : RpcNetwork(guard, 0, side, options) {}
  ~RpcNetwork() noexcept(false);

private:
  class FlowController;
  kj::Maybe<MessageGuard&> guard;
  kj::Canceler slowed;
  kj::TaskSet answers{*this};

  kj::Own<capnp::RpcFlowController> newStream() override;
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
