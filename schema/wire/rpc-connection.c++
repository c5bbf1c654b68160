#include "wire/rpc-connection.h"

#include "schema/limits.capnp.h"

namespace bothy {

capnp::ReaderOptions readerOptions() {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = rpc::MAX_MESSAGE_WORDS;
  options.nestingLimit = rpc::MAX_NESTING;
  return options;
}

using capnp::rpc::twoparty::Side;

RpcConnection::RpcConnection(kj::Own<kj::AsyncIoStream> streamParam,
                             capnp::Capability::Client bootstrap)
    : stream(kj::mv(streamParam)),
      network(*stream, Side::SERVER, readerOptions()),
      system(capnp::makeRpcServer(network, kj::mv(bootstrap))) {
  system.setFlowLimit(rpc::MAX_FLOW_WORDS);
}

RpcConnection::RpcConnection(kj::Own<kj::AsyncIoStream> streamParam)
    : stream(kj::mv(streamParam)),
      network(*stream, Side::CLIENT, readerOptions()),
      system(capnp::makeRpcClient(network)) {
  system.setFlowLimit(rpc::MAX_FLOW_WORDS);
}

RpcConnection::~RpcConnection() noexcept(false) {}

capnp::Capability::Client RpcConnection::bootstrap() {
  capnp::MallocMessageBuilder message;
  auto vatId = message.initRoot<capnp::rpc::twoparty::VatId>();
  vatId.setSide(network.getSide() == Side::CLIENT ? Side::SERVER : Side::CLIENT);
  return system.bootstrap(vatId);
}

kj::Promise<void> RpcConnection::onDisconnect() {
  return network.onDisconnect();
}

}  // namespace bothy
