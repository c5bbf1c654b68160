#include "wire/rpc-network.h"

#include <kj/debug.h>
#include <kj/refcount.h>

namespace bothy {

class RpcNetwork::FlowController final: public capnp::RpcFlowController,
                                        private capnp::RpcFlowController::WindowGetter {
public:
  explicit FlowController(RpcNetwork& network)
      : network(network), inner(newVariableWindowController(*this)) {}

  kj::Promise<void> send(kj::Own<capnp::OutgoingRpcMessage> message,
                         kj::Promise<void> ack) override {
    largest = kj::max(largest, message->sizeInWords() * sizeof(capnp::word));
    auto paf = kj::newPromiseAndFulfiller<void>();
    ++waiting->messages;
    network.answers.add(relay(kj::mv(ack), kj::mv(paf.fulfiller), kj::addRef(*waiting)));
    auto sent = inner->send(kj::mv(message), kj::mv(paf.promise));
    KJ_IF_MAYBE (guard, network.guard) {
      // Whoever waits for it may outlive the network, and a connection that ends writes nothing more.
      return network.slowed.wrap(
          waiting->slowed.wrap(sent.then([guard]() { return guard->untilRoomToSend(); })));
    }
    return kj::mv(sent);
  }

  kj::Promise<void> waitAllAcked() override { return inner->waitAllAcked(); }

private:
  struct Waiting: kj::Refcounted {
    unsigned messages = 0;  // without an answer
    kj::Canceler slowed;    // senders, until a message fails
  };

  static kj::Promise<void> relay(kj::Promise<void> ack,
                                 kj::Own<kj::PromiseFulfiller<void>> fulfiller,
                                 kj::Own<Waiting> waiting) {
    auto& controller = *fulfiller;
    auto& stream = *waiting;
    return ack
        .then(
            [&controller, &stream]() {
              --stream.messages;
              controller.fulfill();
            },
            [&controller, &stream](kj::Exception&& e) {
              stream.slowed.cancel(e);
              controller.reject(kj::mv(e));
            })
        .attach(kj::mv(fulfiller), kj::mv(waiting));
  }

  size_t getWindow() override {
    if (waiting->messages >= WINDOW_CALLS) return 0;
    return kj::min(kj::max(WINDOW_MESSAGES * largest, LEAST_WINDOW_BYTES), MOST_WINDOW_BYTES);
  }

  RpcNetwork& network;
  size_t largest = 0;
  kj::Own<Waiting> waiting = kj::refcounted<Waiting>();
  kj::Own<capnp::RpcFlowController> inner;
};

RpcNetwork::RpcNetwork(MessageGuard& guard, kj::uint maxDescriptors,
                       capnp::rpc::twoparty::Side side, capnp::ReaderOptions options)
    : TwoPartyVatNetwork(guard, maxDescriptors, side, options), guard(guard) {
  guard.watchQueue([this]() {
    return getCurrentQueueSize() + getCurrentQueueCount() * MessageGuard::WAITING_MESSAGE_BYTES;
  });
}

RpcNetwork::~RpcNetwork() noexcept(false) {
  KJ_IF_MAYBE (g, guard) g->watchQueue([]() -> size_t { return 0; });
  slowed.cancel(KJ_EXCEPTION(DISCONNECTED, "the connection has ended"));
}

kj::Own<capnp::RpcFlowController> RpcNetwork::newStream() {
  return kj::heap<FlowController>(*this);
}

void RpcNetwork::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "an answer to a stream was lost", exception);
}

}  // namespace bothy
