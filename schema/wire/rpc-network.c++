#include "wire/rpc-network.h"

#include <kj/debug.h>

namespace bothy {

class RpcNetwork::FlowController final: public capnp::RpcFlowController,
                                        private capnp::RpcFlowController::WindowGetter {
public:
  explicit FlowController(kj::TaskSet& answers)
      : answers(answers), inner(newVariableWindowController(*this)) {}

  kj::Promise<void> send(kj::Own<capnp::OutgoingRpcMessage> message,
                         kj::Promise<void> ack) override {
    largest = kj::max(largest, message->sizeInWords() * sizeof(capnp::word));
    auto paf = kj::newPromiseAndFulfiller<void>();
    answers.add(relay(kj::mv(ack), kj::mv(paf.fulfiller)));
    return inner->send(kj::mv(message), kj::mv(paf.promise));
  }

  kj::Promise<void> waitAllAcked() override { return inner->waitAllAcked(); }

private:
  static kj::Promise<void> relay(kj::Promise<void> ack,
                                 kj::Own<kj::PromiseFulfiller<void>> fulfiller) {
    auto& controller = *fulfiller;
    return ack
        .then([&controller]() { controller.fulfill(); },
              [&controller](kj::Exception&& e) { controller.reject(kj::mv(e)); })
        .attach(kj::mv(fulfiller));
  }

  size_t getWindow() override {
    return kj::min(kj::max(WINDOW_MESSAGES * largest, LEAST_WINDOW_BYTES), MOST_WINDOW_BYTES);
  }

  kj::TaskSet& answers;
  size_t largest = 0;
  kj::Own<capnp::RpcFlowController> inner;
};

kj::Own<capnp::RpcFlowController> RpcNetwork::newStream() {
  return kj::heap<FlowController>(answers);
}

void RpcNetwork::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "an answer to a stream was lost", exception);
}

}  // namespace bothy
