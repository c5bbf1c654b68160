#include "wire/rpc-network.h"

#include <kj/debug.h>

namespace bothy {

class RpcNetwork::FlowController final: public capnp::RpcFlowController {
public:
  FlowController(kj::TaskSet& answers, kj::Own<capnp::RpcFlowController> inner)
      : answers(answers), inner(kj::mv(inner)) {}

  kj::Promise<void> send(kj::Own<capnp::OutgoingRpcMessage> message,
                         kj::Promise<void> ack) override {
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

  kj::TaskSet& answers;
  kj::Own<capnp::RpcFlowController> inner;
};

kj::Own<capnp::RpcFlowController> RpcNetwork::newStream() {
  // The base class knows the window, by SO_SNDBUF, but inherits the interface privately: of all casts
  // only this one may pass.
  auto& window = (capnp::RpcFlowController::WindowGetter&)*this;
  return kj::heap<FlowController>(answers,
                                  capnp::RpcFlowController::newVariableWindowController(window));
}

void RpcNetwork::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "an answer to a stream was lost", exception);
}

}  // namespace bothy
