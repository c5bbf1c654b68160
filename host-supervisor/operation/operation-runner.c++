#include "operation/operation-runner.h"

#include <kj/debug.h>

namespace bothy {

OperationRunner::OperationRunner(kj::Timer& timer, Journal& journal, kj::StringPtr name,
                                 RetryPauses::Limits pauses)
    : timer(timer), journal(journal), name(kj::str(name)), pauses(pauses) {}

OperationRunner::~OperationRunner() noexcept(false) {}

kj::Maybe<Operation&> OperationRunner::current() {
  return underWay.map([](kj::Own<Operation>& operation) -> Operation& { return *operation; });
}

void OperationRunner::begin(kj::Own<Operation> operation, size_t step) {
  driving = nullptr;
  KJ_IF_MAYBE (before, underWay) {
    (*before)->successor = kj::str(operation->kind());
    (*before)->ended->fulfill();
  }
  underWay = kj::mv(operation);
  drive(kj::evalNow([&]() { return carryOut(step, Way::BEGUN, nullptr); }));
}

void OperationRunner::resume(kj::Own<Operation> operation, kj::StringPtr step,
                             kj::Maybe<kj::Duration> limit) {
  KJ_REQUIRE(underWay == nullptr, "an operation is under way", name);
  auto steps = operation->steps();
  size_t at = 0;
  while (at < steps.size() && steps[at].name != step) at++;
  KJ_REQUIRE(at < steps.size(), "this kind of operation has no such step", name, operation->kind(),
             step);
  underWay = kj::mv(operation);
  drive(kj::evalNow([&]() { return carryOut(at, Way::RESUMED, limit); }));
}

void OperationRunner::drive(kj::Promise<void> work) {
  driving = work.eagerlyEvaluate([this](kj::Exception&& e) {
    KJ_LOG(ERROR, "an operation cannot be settled; the next start of the supervisor resumes it",
           name, e.getDescription());
    KJ_IF_MAYBE (operation, underWay) (*operation)->ended->reject(kj::mv(e));
    underWay = nullptr;
  });
}

kj::Promise<void> OperationRunner::carryOut(size_t step, Way way, kj::Maybe<kj::Duration> limit) {
  for (;;) {
    auto operation = kj::addRef(*KJ_ASSERT_NONNULL(underWay));
    kj::Maybe<kj::Exception> failure;
    try {
      auto work = runFrom(*operation, step, way);
      KJ_IF_MAYBE (l, limit) {
        work = within(timer, *l, "it has not ended", kj::mv(work));
      }
      co_await work;
    } catch (...) {
      failure = kj::getCaughtExceptionAsKj();
    }
    KJ_IF_MAYBE (e, failure) {
      KJ_LOG(WARNING, "an operation failed", name, operation->kind(), e->getDescription());
    }
    auto settled = co_await settle(*operation, kj::mv(failure));
    operation->failure = nullptr;
    KJ_IF_MAYBE (next, settled.next) {
      underWay = kj::mv(*next);
    } else {
      underWay = nullptr;
    }
    operation->ended->fulfill();
    if (underWay == nullptr) co_return;
    step = 0;
    way = Way::BEGUN;
    limit = nullptr;
  }
}

kj::Promise<void> OperationRunner::runFrom(Operation& operation, size_t first, Way way) {
  auto step = first;
  if (way == Way::RESUMED) step = co_await operation.resume(first);
  for (; step < operation.steps().size(); step++) co_await runStep(operation, step);
}

kj::Promise<void> OperationRunner::runStep(Operation& operation, size_t index) {
  auto& step = operation.steps()[index];
  for (RetryPauses between(timer, pauses);;) {
    operation.failure = nullptr;
    kj::Maybe<kj::Exception> failure;
    try {
      // The step has begun before the hold ends: whoever supersedes it finds it under way.
      auto hold = co_await enter(operation, step.name);
      auto work = kj::evalNow([&]() { return operation.run(index); });
      KJ_IF_MAYBE (limit, operation.limitOf(index)) {
        work = within(timer, *limit, step.complaint, kj::mv(work));
      }
      hold = nullptr;
      co_await work;
      co_return;
    } catch (...) {
      failure = kj::getCaughtExceptionAsKj();
    }
    auto& e = KJ_ASSERT_NONNULL(failure);
    if (step.onFailure == Step::OnFailure::END) kj::throwFatalException(kj::mv(e));
    operation.failure = kj::str(e.getDescription());
    KJ_LOG(ERROR, "a step of an operation failed; trying again", name, operation.kind(), step.name,
           operation.failure);
    co_await between.next();
  }
}

kj::Promise<Operation::Hold> OperationRunner::enter(Operation& operation, kj::StringPtr step) {
  for (RetryPauses between(timer, pauses);;) {
    kj::Maybe<kj::Exception> failure;
    try {
      co_return co_await journal.enter(step);
    } catch (...) {
      failure = kj::getCaughtExceptionAsKj();
    }
    operation.failure = kj::str(KJ_ASSERT_NONNULL(failure).getDescription());
    KJ_LOG(ERROR, "that a step begins could not be stored yet; trying again", name,
           operation.kind(), step, operation.failure);
    co_await between.next();
  }
}

kj::Promise<Operation::Settled> OperationRunner::settle(Operation& operation,
                                                        kj::Maybe<kj::Exception> failure) {
  kj::Maybe<kj::Exception> fault;
  try {
    co_return co_await operation.settle(kj::mv(failure));
  } catch (...) {
    fault = kj::getCaughtExceptionAsKj();
  }
  auto& f = KJ_ASSERT_NONNULL(fault);
  KJ_LOG(ERROR, "an operation cannot be settled; it has failed", name, operation.kind(),
         f.getDescription());
  co_return co_await operation.settle(kj::mv(f));
}

}  // namespace bothy
