#include "process/process-facet.h"

#include <signal.h>

#include <kj/debug.h>

namespace bothy {

namespace {

// What dropping it, `end`, and that its end was told do with the execution.
class Holding {
public:
  virtual void told() = 0;
  virtual void drop() = 0;
  virtual void end() = 0;
};

class Owning final: public Holding {
public:
  explicit Owning(Execution& execution) : execution(execution) {}
  void told() override {}
  void drop() override { execution.abandon(); }
  void end() override {
    execution.process().end().detach([](kj::Exception&&) {});
  }

private:
  Execution& execution;
};

class Keeping final: public Holding {
public:
  Keeping(kj::Own<KeptExecutions> keptParam, uint64_t id) : kept(kj::mv(keptParam)), id(id) {
    kept->hold(id);
  }
  void told() override { kept->noteTold(id); }
  void drop() override { kept->release(id); }
  void end() override { kept->end(id); }

private:
  kj::Own<KeptExecutions> kept;
  const uint64_t id;
};

class ProcessFacet final: public rpc::Process::Server {
public:
  ProcessFacet(kj::Own<Execution> execution, kj::Own<Holding> holding)
      : execution(kj::mv(execution)), holding(kj::mv(holding)) {}
  ~ProcessFacet() noexcept(false) { holding->drop(); }

  kj::Promise<void> wait(WaitContext context) override {
    const bool isAwaited =
        context.getParams().getAnswersToEnd() == rpc::Process::AnswersToEnd::AWAITED;
    auto result = co_await execution->onFinished(isAwaited ? Execution::Sinks::HAVE_ANSWERED
                                                           : Execution::Sinks::WERE_CALLED);
    holding->told();
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
    holding->end();
    return kj::READY_NOW;
  }

private:
  kj::Own<Execution> execution;
  kj::Own<Holding> holding;
};

}  // namespace

rpc::Process::Client newProcessFacet(kj::Own<Execution> execution) {
  auto holding = kj::heap<Owning>(*execution);
  return kj::heap<ProcessFacet>(kj::mv(execution), kj::mv(holding));
}

rpc::Process::Client newKeptProcessFacet(kj::Own<KeptExecutions> kept, uint64_t id) {
  auto execution = kj::addRef(KJ_REQUIRE_NONNULL(kept->find(id)));
  return kj::heap<ProcessFacet>(kj::mv(execution), kj::heap<Keeping>(kj::mv(kept), id));
}

}  // namespace bothy
