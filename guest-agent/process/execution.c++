#include "process/execution.h"

namespace bothy {

Execution::Execution(ProcessHost& host, kj::Own<ChildProcess> childParam,
                     kj::Maybe<kj::Own<OutputPump>> standardOutput,
                     kj::Maybe<kj::Own<OutputPump>> standardError)
    : host(host),
      child(kj::mv(childParam)),
      standardOutput(kj::mv(standardOutput)),
      standardError(kj::mv(standardError)),
      finished(run().eagerlyEvaluate(nullptr).fork()) {
  host.processCount++;
}

Execution::~Execution() noexcept(false) {
  host.processCount--;
}

kj::Promise<Execution::Result> Execution::run() {
  auto status = co_await child->onExit();
  Result result = {status, child->countMembers()};
  KJ_IF_MAYBE (pump, standardOutput) {
    (*pump)->finish();
  }
  KJ_IF_MAYBE (pump, standardError) {
    (*pump)->finish();
  }
  KJ_IF_MAYBE (pump, standardOutput) {
    co_await (*pump)->onDone();
  }
  KJ_IF_MAYBE (pump, standardError) {
    co_await (*pump)->onDone();
  }
  co_return result;
}

void Execution::abandon() {
  if (child->isRunning()) host.runInBackground(child->end());
  host.runInBackground(onFinished().ignoreResult().attach(kj::addRef(*this)));
}

}  // namespace bothy
