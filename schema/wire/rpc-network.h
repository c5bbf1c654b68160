#pragma once

#include <capnp/rpc-twoparty.h>

namespace bothy {

// capnp::TwoPartyVatNetwork with a flow control that survives its connection.
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

private:
  class FlowController;
  kj::TaskSet answers{*this};

  kj::Own<capnp::RpcFlowController> newStream() override;
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
