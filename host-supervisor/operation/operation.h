#pragma once

#include <kj/async.h>
#include <kj/refcount.h>
#include <kj/string.h>
#include <kj/time.h>

#include "wire/places.h"

namespace bothy {

// One step of a kind of operation: a row of that kind's table.
struct Step {
  enum class OnFailure {
    END,        // the operation has failed
    TRY_AGAIN,  // the step is run again, with growing pauses, until it succeeds
  };

  enum class Storing {
    FIRST,      // that it begins is stored before it does
    IF_IT_CAN,  // a store that refuses does not hold it up: the operation may be resumed at an earlier step all the same
  };

  // As the store has it: never changed.
  kj::StringPtr name;
  OnFailure onFailure;
  Storing storing;
  // What is told when one try takes too long: "the disk could not be made".
  kj::StringPtr complaint;
};

// What takes several steps, as OperationRunner drives it: a kind of operation is an implementation of this.  It holds what the
// steps have in common, and what came of them for its callers.
class Operation: public kj::Refcounted {
public:
  Operation();
  virtual ~Operation() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(Operation);

  // As the store has it: never changed.
  virtual kj::StringPtr kind() const = 0;
  virtual kj::ArrayPtr<const Step> steps() const = 0;
  // How long it may take from its beginning to its end, over restarts, before it has failed; nullptr: for ever.
  virtual kj::Maybe<kj::Duration> limit() const { return nullptr; }
  // How long one try of the step may take; nullptr: the step has limits of its own.
  virtual kj::Maybe<kj::Duration> limitOf(size_t step) const = 0;

  // Where the step of this name stands in the table.
  kj::Maybe<size_t> placeOf(kj::StringPtr step) const;

  // Runs one step.  A try that failed, that was cut off at its limit or with which the process ended may have done any part of
  // it: run() must be able to follow.
  virtual kj::Promise<void> run(size_t step) = 0;

  // After a restart, of an operation whose stored step is `step`: returns where to go on.  Failing ends the operation.
  virtual kj::Promise<size_t> resume(size_t step) { return step; }

  // While this is held nothing supersedes the operation.
  using Hold = kj::Own<Places::Place>;
  struct Settled {
    Hold hold;
    // The operation that the same change put into this one's place; it begins with its first step.
    kj::Maybe<kj::Own<Operation>> next;
  };
  // Stores what came of it (`failure`: of the step that failed) in a change that removes the operation, and returns when that is
  // stored.  If it fails it is called once more, with that failure.
  virtual kj::Promise<Settled> settle(kj::Maybe<kj::Exception> failure) = 0;

  struct End {
    // The kind of the operation that came before its end; nullptr: it is settled.
    kj::Maybe<kj::String> supersededBy;
  };
  // Any number of callers, also after the end.  Never resolves when its runner is gone first; fails when it could not be settled.
  kj::Promise<End> onEnd();
  // Its steps are over, and what came of it is being stored.  Never resolves when it is superseded before that.
  kj::Promise<void> onDecided();

  // Why the last try of the step under way failed, or was not stored; empty if none did.
  kj::StringPtr lastFailure() const { return failure; }

private:
  friend class OperationRunner;
  kj::Own<kj::PromiseFulfiller<void>> ended;
  kj::ForkedPromise<void> end;
  kj::Own<kj::PromiseFulfiller<void>> decided;
  kj::ForkedPromise<void> decision;
  kj::Maybe<kj::String> successor;
  kj::String failure;

  Operation(kj::PromiseFulfillerPair<void> end, kj::PromiseFulfillerPair<void> decision);
};

}  // namespace bothy
