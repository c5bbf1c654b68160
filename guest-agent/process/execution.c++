#include "process/execution.h"

#include <kj/debug.h>

namespace bothy {

Execution::Execution(Programs& programs, kj::Own<ChildProcess> childParam,
                     kj::Maybe<kj::Own<ProgramInput>> standardInput,
                     kj::Maybe<kj::Own<OutputPump>> standardOutput,
                     kj::Maybe<kj::Own<OutputPump>> standardError)
    : programs(programs),
      child(kj::mv(childParam)),
      standardInput(kj::mv(standardInput)),
      standardOutput(kj::mv(standardOutput)),
      standardError(kj::mv(standardError)),
      ended(run().eagerlyEvaluate(nullptr).fork()) {
  programs.processCount++;
}

Execution::~Execution() noexcept(false) {
  programs.programDisposed();
}

kj::Maybe<ProgramInput&> Execution::input() {
  return standardInput.map([](kj::Own<ProgramInput>& own) -> ProgramInput& { return *own; });
}

kj::Maybe<OutputPump&> Execution::pumpOf(kj::Maybe<kj::Own<OutputPump>>& pump) {
  return pump.map([](kj::Own<OutputPump>& own) -> OutputPump& { return *own; });
}

kj::Promise<Execution::Result> Execution::run() {
  auto status = co_await child->onExit();
  Result result = {status, child->countMembers()};
  for (auto pump : {&standardOutput, &standardError}) {
    KJ_IF_MAYBE (p, *pump) {
      (*p)->finish();
    }
  }
  co_return result;
}

kj::Promise<Execution::Result> Execution::onFinished(Sinks sinks) {
  auto result = co_await ended.addBranch();
  for (auto pump : {&standardOutput, &standardError}) {
    KJ_IF_MAYBE (p, *pump) {
      co_await (sinks == Sinks::WERE_CALLED ? (*p)->onEndCalled() : (*p)->onDone());
    }
  }
  co_return result;
}

void Execution::abandon() {
  if (child->isRunning()) programs.runInBackground(child->end());
  for (auto pump : {&standardOutput, &standardError}) {
    KJ_IF_MAYBE (p, *pump) {
      (*p)->giveUp();
    }
  }
  // Where it fails whoever waits is told.
  programs.runInBackground(
      onFinished().ignoreResult().catch_([](kj::Exception&&) {}).attach(kj::addRef(*this)));
}

}  // namespace bothy
