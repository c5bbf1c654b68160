#include "process/process-facet.h"

#include <signal.h>

#include <kj/debug.h>

namespace bothy {

namespace {

class ProcessFacet final: public rpc::Process::Server {
public:
  explicit ProcessFacet(kj::Own<Execution> execution) : execution(kj::mv(execution)) {}
  ProcessFacet(kj::Own<Execution> execution, kj::Own<KeptExecutions> keptParam, uint64_t id)
      : execution(kj::mv(execution)), kept(kj::mv(keptParam)), id(id) {
    KJ_ASSERT_NONNULL(kept)->hold(id);
  }
  ~ProcessFacet() noexcept(false) {
    KJ_IF_MAYBE (all, kept) {
      (*all)->release(id);
    } else {
      execution->abandon();
    }
  }

  kj::Promise<void> wait(WaitContext context) override {
    const bool isAwaited =
        context.getParams().getAnswersToEnd() == rpc::Process::AnswersToEnd::AWAITED;
    auto result = co_await execution->onFinished(isAwaited ? Execution::Sinks::HAVE_ANSWERED
                                                           : Execution::Sinks::WERE_CALLED);
    KJ_IF_MAYBE (all, kept) (*all)->noteTold(id);
    auto results = context.initResults();
    result.status.writeTo(results.initStatus());
    results.setDetached(result.detached);
  }

  kj::Promise<void> signal(SignalContext context) override {
    auto params = context.getParams();
    int number = params.getNumber();
    KJ_REQUIRE(1 <= number && number <= 64, "no such signal", number);
    bool delivered = co_await execution->process().signal(number, params.getScope());
    context.initResults().setDelivered(delivered);
  }

  kj::Promise<void> info(InfoContext context) override {
    context.initResults().setPid(execution->process().pid());
    return kj::READY_NOW;
  }

  kj::Promise<void> end(EndContext context) override {
    KJ_IF_MAYBE (all, kept) {
      (*all)->end(id);
    } else {
      execution->process().end().detach([](kj::Exception&&) {});
    }
    return kj::READY_NOW;
  }

private:
  kj::Own<Execution> execution;
  // None: it is nobody's but this one's, and ends with it.
  kj::Maybe<kj::Own<KeptExecutions>> kept;
  const uint64_t id = 0;  // among those
};

}  // namespace

rpc::Process::Client newProcessFacet(kj::Own<Execution> execution) {
  return kj::heap<ProcessFacet>(kj::mv(execution));
}

rpc::Process::Client newKeptProcessFacet(kj::Own<KeptExecutions> kept, uint64_t id) {
  auto execution = kj::addRef(KJ_REQUIRE_NONNULL(kept->find(id)));
  return kj::heap<ProcessFacet>(kj::mv(execution), kj::mv(kept), id);
}

}  // namespace bothy
