#include "agent/agent-connection.h"

#include "wire/rpc-connection.h"

namespace bothy {

using capnp::rpc::twoparty::Side;

AgentConnection::AgentConnection(kj::Own<kj::AsyncIoStream> streamParam)
    : stream(kj::mv(streamParam)),
      messages(*stream),
      network(messages, Side::CLIENT, readerOptions()),
      system(capnp::makeRpcClient(network)) {
  system.setFlowLimit(LANE_FLOW_WORDS);
}

AgentConnection::~AgentConnection() noexcept(false) {}

rpc::AgentGate::Client AgentConnection::gate() {
  capnp::MallocMessageBuilder message;
  auto vatId = message.initRoot<capnp::rpc::twoparty::VatId>();
  vatId.setSide(Side::SERVER);
  return system.bootstrap(vatId).castAs<rpc::AgentGate>();
}

}  // namespace bothy
