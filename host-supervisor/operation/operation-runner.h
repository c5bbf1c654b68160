#pragma once

#include <kj/function.h>

#include "loop/retry-pauses.h"
#include "operation/operation.h"

namespace bothy {

// Drives the operations of one thing, of which one is under way at a time.  It knows nothing of what they do: their rows are their
// owner's, who stores that one begins before it calls begin().
class OperationRunner final {
public:
  // What is stored of the operation under way.
  class Journal {
  public:
    // Stores that it begins `step`, if that is not stored.
    virtual kj::Promise<Operation::Hold> enter(kj::StringPtr step) = 0;
    // Whether a fault of enter() is one that comes again, however often that is called.
    virtual bool isLasting(const kj::Exception& fault) const = 0;
    // What came of it cannot be stored, and nothing is under way any more.
    virtual void unsettled(const kj::Exception& fault) = 0;
  };

  // `name`: of the thing, in the log.  It is copied; the others outlive this.  `rested` is called when nothing is under way any more.
  OperationRunner(
      kj::Timer& timer, Journal& journal, kj::StringPtr name, kj::Function<void()> rested = []() {},
      RetryPauses::Limits pauses = {});
  ~OperationRunner() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(OperationRunner);

  // Begins it, with the step at this place in its table; one that is under way is superseded: its step is cancelled, and who waits
  // for its end is notified.  Needs the hold of its owner (Operation::Hold), unless nothing is under way.
  void begin(kj::Own<Operation> operation, size_t step = 0);

  // Goes on with one that an earlier process began, and that has failed when it has not ended within `limit`.  None is under way.
  // Fails if its table has no such step.
  void resume(kj::Own<Operation> operation, kj::StringPtr step,
              kj::Maybe<kj::Duration> limit = nullptr);

  kj::Maybe<Operation&> current();

private:
  kj::Timer& timer;
  Journal& journal;
  const kj::String name;
  kj::Function<void()> rested;
  const RetryPauses::Limits pauses;
  kj::Maybe<kj::Own<Operation>> underWay;
  kj::Promise<void> driving = nullptr;

  enum class Way { BEGUN, RESUMED };
  void drive(kj::Promise<void> work);
  // To the end of what is under way, and of what comes in its place.
  kj::Promise<void> carryOut(size_t step, Way way, kj::Maybe<kj::Duration> limit);
  // When the operation under way has failed.
  using Deadline = kj::Maybe<kj::TimePoint>;
  kj::Promise<void> runFrom(Operation& operation, size_t first, Way way, Deadline deadline);
  kj::Promise<void> runStep(Operation& operation, size_t index, Deadline deadline);
  // nullptr: it is not stored, and need not be.
  kj::Promise<kj::Maybe<Operation::Hold>> enter(Operation& operation, const Step& step,
                                                Deadline deadline);
  // Cuts it off at the deadline.
  template <typename T>
  kj::Promise<T> before(Deadline deadline, kj::Promise<T> work);
  kj::Promise<Operation::Settled> settle(Operation& operation, kj::Maybe<kj::Exception> failure);
};

}  // namespace bothy
