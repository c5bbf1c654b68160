#include "wire/rpc-connection.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"

namespace bothy {

capnp::ReaderOptions readerOptions() {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = rpc::MAX_MESSAGE_WORDS;
  options.nestingLimit = rpc::MAX_NESTING;
  return options;
}

using capnp::rpc::twoparty::Side;

namespace {

// Many small messages at a time.  Of a large one this much is copied, and of an idle connection it is what it holds.
constexpr size_t READ_AHEAD_WORDS = 4 * 1024 / sizeof(capnp::word);

}  // namespace

RpcConnection::RpcConnection(kj::Own<kj::AsyncIoStream> streamParam,
                             capnp::Capability::Client bootstrap)
    : stream(kj::mv(streamParam)),
      network(*stream, Side::SERVER, readerOptions()),
      system(capnp::makeRpcServer(network, kj::mv(bootstrap))) {
  system.setFlowLimit(rpc::MAX_FLOW_WORDS);
}

RpcConnection::RpcConnection(kj::Own<kj::AsyncIoStream> streamParam,
                             capnp::Capability::Client bootstrap, kj::Timer& timer,
                             GuardRules rules, MessageBudget& budget,
                             kj::Maybe<const kj::MonotonicClock&> clock, kj::StringPtr holder)
    : stream(kj::mv(streamParam)),
      messages(kj::heap<capnp::BufferedMessageStream>(
          *stream, capnp::IncomingRpcMessage::getShortLivedCallback(), READ_AHEAD_WORDS)),
      network(guard.emplace(*messages, timer, rules, budget, clock, holder), Side::SERVER,
              readerOptions()),
      system(capnp::makeRpcServer(network, kj::mv(bootstrap))) {
  system.setFlowLimit(rpc::MAX_FLOW_WORDS);
}

RpcConnection::RpcConnection(kj::Own<kj::AsyncIoStream> streamParam)
    : stream(kj::mv(streamParam)),
      network(*stream, Side::CLIENT, readerOptions()),
      system(capnp::makeRpcClient(network)) {
  system.setFlowLimit(rpc::MAX_FLOW_WORDS);
}

RpcConnection::RpcConnection(kj::Own<kj::AsyncCapabilityStream> capabilityStream,
                             kj::uint maxDescriptors)
    : stream(kj::mv(capabilityStream)),
      network(static_cast<kj::AsyncCapabilityStream&>(*stream), maxDescriptors, Side::CLIENT,
              readerOptions()),
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

MessageGuard& RpcConnection::requireGuard() {
  return KJ_REQUIRE_NONNULL(guard, "this connection has no guard");
}

kj::Promise<void> RpcConnection::onDisconnect() {
  KJ_IF_MAYBE (g, guard) return network.onDisconnect().exclusiveJoin(g->onCut());
  return network.onDisconnect();
}

}  // namespace bothy
