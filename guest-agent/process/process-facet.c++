#include "process/process-facet.h"

#include <signal.h>

#include <kj/debug.h>

namespace bothy {

namespace {

class ProcessFacet final: public rpc::Process::Server {
public:
  explicit ProcessFacet(kj::Own<Execution> execution) : execution(kj::mv(execution)) {}
  ~ProcessFacet() noexcept(false) { execution->abandon(); }

  kj::Promise<void> wait(WaitContext context) override {
    auto result = co_await execution->onFinished();
    auto results = context.initResults();
    result.status.writeTo(results.initStatus());
    results.setDetached(result.detached);
  }

  kj::Promise<void> signal(SignalContext context) override {
    auto params = context.getParams();
    int number = params.getNumber();
    KJ_REQUIRE(1 <= number && number <= 64, "no such signal", number);
    context.initResults().setDelivered(execution->process().signal(number, params.getScope()));
    return kj::READY_NOW;
  }

  kj::Promise<void> info(InfoContext context) override {
    context.initResults().setPid(execution->process().pid());
    return kj::READY_NOW;
  }

private:
  kj::Own<Execution> execution;
};

}  // namespace

rpc::Process::Client newProcessFacet(kj::Own<Execution> execution) {
  return kj::heap<ProcessFacet>(kj::mv(execution));
}

}  // namespace bothy
