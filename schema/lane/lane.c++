#include "lane/lane.h"

#include "schema/limits.capnp.h"
#include "wire/rpc-connection.h"

namespace bothy {

using capnp::rpc::twoparty::Side;

namespace {

// Words in calls from the agent that are not answered yet, before no more is read.  A download that stands still holds a window (1 MiB).
constexpr uint64_t CLIENT_FLOW_WORDS = 6 * 1024 * 1024 / sizeof(capnp::word);
// The same in calls: each takes up to 10 KiB here, however small it is.  A stream that stands still holds `WINDOW_CALLS`.
constexpr kj::uint CLIENT_UNANSWERED = 1024;
// An agent calls nobody on its control lane.
constexpr uint64_t CONTROL_FLOW_WORDS = 64 * 1024 / sizeof(capnp::word);

// A write of a client's, and what is under way beside it.
constexpr size_t CLIENT_QUEUE_BYTES = 16 * 1024 * 1024;
// Pieces of output that are on their way to a client: windows of small ones, for all its streams.
constexpr kj::uint CLIENT_ANSWERS = 16 * 1024;
// Sinks and viewers that a client gives.
constexpr kj::uint CLIENT_EXPORTS = 4 * 1024;

constexpr uint64_t CONTROL_MESSAGE_WORDS = 64 * 1024 / sizeof(capnp::word);
constexpr size_t CONTROL_QUEUE_BYTES = 256 * 1024;

GuardRules rulesFor(Lane::Use use) {
  using Peer = GuardRules::Peer;
  if (use == Lane::Use::CONTROL) {
    return {Peer::ONLY_ANSWERS, CONTROL_MESSAGE_WORDS, CONTROL_QUEUE_BYTES, 0, 0};
  }
  return {Peer::ANSWERS,  rpc::MAX_MESSAGE_WORDS, CLIENT_QUEUE_BYTES,
          CLIENT_ANSWERS, CLIENT_EXPORTS,         CLIENT_UNANSWERED};
}

}  // namespace

Lane::Lane(kj::Own<kj::AsyncIoStream> streamParam, kj::Timer& timer, Use use,
           kj::Maybe<const kj::MonotonicClock&> clock)
    : stream(kj::mv(streamParam)),
      messages(*stream, kj::mv(answered.fulfiller)),
      guard(messages, timer, rulesFor(use), nullptr, clock),
      network(guard, Side::CLIENT, readerOptions()),
      system(capnp::makeRpcClient(network)),
      first(askBootstrap()),
      disconnecting(network.onDisconnect()
                        .then([this]() { isDisconnected = true; })
                        .eagerlyEvaluate(nullptr)),
      listening(use == Use::CONTROL ? kj::Promise<void>(kj::READY_NOW)
                                    : endWhenSilent(timer).eagerlyEvaluate(nullptr)) {
  system.setFlowLimit(use == Use::CONTROL ? CONTROL_FLOW_WORDS : CLIENT_FLOW_WORDS);
}

Lane::~Lane() noexcept(false) {}

capnp::Capability::Client Lane::askBootstrap() {
  capnp::MallocMessageBuilder message;
  auto vatId = message.initRoot<capnp::rpc::twoparty::VatId>();
  vatId.setSide(Side::SERVER);
  return system.bootstrap(vatId);
}

// That is answered without any of the agent's rooms.
kj::Promise<void> Lane::ask() {
  return askBootstrap().whenResolved();
}

kj::Promise<void> Lane::endWhenSilent(kj::Timer& timer) {
  co_await untilSilent(timer, *this);
  stream->abortRead();
}

}  // namespace bothy
