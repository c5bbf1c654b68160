#include "operation/operation-runner.h"

#include <kj/debug.h>

#include "loop/failure-of.h"

namespace bothy {

OperationRunner::OperationRunner(kj::Timer& timer, Journal& journal, kj::StringPtr name,
                                 kj::Function<void()> rested, RetryPauses::Limits pauses)
    : timer(timer), journal(journal), name(kj::str(name)), rested(kj::mv(rested)), pauses(pauses) {}

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
  auto limit = KJ_ASSERT_NONNULL(underWay)->limit();
  drive(kj::evalNow([&]() { return carryOut(step, Way::BEGUN, limit); }));
}

void OperationRunner::resume(kj::Own<Operation> operation, kj::StringPtr step,
                             kj::Maybe<kj::Duration> limit) {
  KJ_REQUIRE(underWay == nullptr, "an operation is under way", name);
  auto at = KJ_REQUIRE_NONNULL(operation->placeOf(step), "this kind of operation has no such step",
                               name, operation->kind(), step);
  underWay = kj::mv(operation);
  drive(kj::evalNow([&]() { return carryOut(at, Way::RESUMED, limit); }));
}

void OperationRunner::drive(kj::Promise<void> work) {
  driving = work.eagerlyEvaluate([this](kj::Exception&& e) {
    KJ_LOG(ERROR, "an operation cannot be settled", name, e.getDescription());
    auto unsettled = kj::mv(underWay);
    underWay = nullptr;
    journal.unsettled(e);
    KJ_IF_MAYBE (operation, unsettled) (*operation)->ended->reject(kj::mv(e));
    rested();
  });
}

kj::Promise<void> OperationRunner::carryOut(size_t step, Way way, kj::Maybe<kj::Duration> limit) {
  for (;;) {
    auto operation = kj::addRef(*KJ_ASSERT_NONNULL(underWay));
    auto deadline = limit.map([this](kj::Duration l) { return timer.now() + l; });
    auto failure = co_await failureOf([&]() { return runFrom(*operation, step, way, deadline); });
    KJ_IF_MAYBE (e, failure) {
      KJ_LOG(WARNING, "an operation failed", name, operation->kind(), e->getDescription());
    }
    operation->decided->fulfill();
    auto settled = co_await settle(*operation, kj::mv(failure));
    operation->failure = nullptr;
    KJ_IF_MAYBE (next, settled.next) {
      underWay = kj::mv(*next);
    } else {
      underWay = nullptr;
    }
    operation->ended->fulfill();
    if (underWay == nullptr) {
      rested();
      co_return;
    }
    step = 0;
    way = Way::BEGUN;
    limit = KJ_ASSERT_NONNULL(underWay)->limit();
  }
}

template <typename T>
kj::Promise<T> OperationRunner::before(Deadline deadline, kj::Promise<T> work) {
  KJ_IF_MAYBE (d, deadline) {
    return work.exclusiveJoin(timer.atTime(*d).then([]() -> kj::Promise<T> {
      return KJ_EXCEPTION(OVERLOADED, "it did not end by its deadline");
    }));
  }
  return kj::mv(work);
}

kj::Promise<void> OperationRunner::runFrom(Operation& operation, size_t first, Way way,
                                           Deadline deadline) {
  auto step = first;
  if (way == Way::RESUMED) {
    step = co_await before(deadline, kj::evalNow([&]() { return operation.resume(first); }));
  }
  for (; step < operation.steps().size(); step++) co_await runStep(operation, step, deadline);
}

kj::Promise<void> OperationRunner::runStep(Operation& operation, size_t index, Deadline deadline) {
  auto& step = operation.steps()[index];
  operation.failure = nullptr;
  for (RetryPauses between(timer, pauses);;) {
    // The step has begun before the hold ends: whoever supersedes it finds it under way.
    auto hold = co_await enter(operation, step, deadline);
    auto failure = co_await failureOf([&]() {
      auto work = kj::evalNow([&]() { return operation.run(index); });
      KJ_IF_MAYBE (limit, operation.limitOf(index)) {
        work = within(timer, *limit, step.complaint, kj::mv(work));
      }
      hold = nullptr;
      return before(deadline, kj::mv(work));
    });
    if (failure == nullptr) co_return;
    auto& e = KJ_ASSERT_NONNULL(failure);
    if (step.onFailure == Step::OnFailure::END) kj::throwFatalException(kj::mv(e));
    operation.failure = kj::str(e.getDescription());
    KJ_LOG(ERROR, "a step of an operation failed; trying again", name, operation.kind(), step.name,
           operation.failure);
    co_await before(deadline, between.next());
  }
}

// The deadline cuts off no commit.
kj::Promise<kj::Maybe<Operation::Hold>> OperationRunner::enter(Operation& operation,
                                                               const Step& step,
                                                               Deadline deadline) {
  for (RetryPauses between(timer, pauses);;) {
    kj::Maybe<kj::Exception> failure;
    try {
      co_return co_await journal.enter(step.name);
    } catch (...) {
      failure = kj::getCaughtExceptionAsKj();
    }
    auto& fault = KJ_ASSERT_NONNULL(failure);
    auto why = fault.getDescription();
    if (step.storing == Step::Storing::IF_IT_CAN) {
      KJ_LOG(ERROR, "a step begins though that could not be stored", name, operation.kind(),
             step.name, why);
      co_return nullptr;
    }
    if (journal.isLasting(fault)) kj::throwFatalException(kj::mv(fault));
    operation.failure = kj::str(why);
    KJ_LOG(ERROR, "that a step begins could not be stored yet; trying again", name,
           operation.kind(), step.name, why);
    co_await before(deadline, between.next());
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
