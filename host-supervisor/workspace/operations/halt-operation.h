#pragma once

#include "workspace/operations/site.h"
#include "workspace/steps.h"

namespace bothy {

// What a pause and a resume have in common: each makes the CPUs of a machine stand still or run, and where that comes to nothing they are
// brought back to what they did before.  What they do in the end decides where the workspace rests.
class HaltOperation: public Operation {
public:
  // Why it came to nothing.
  const kj::Maybe<kj::String>& failure() const { return whyFailed; }

  kj::StringPtr kind() const override { return nameOf(operationKind); }
  // Goes on with the first step: each may be done again.
  kj::Promise<size_t> resume(size_t step) override;
  kj::Promise<Settled> settle(kj::Maybe<kj::Exception> failure) override;

protected:
  // `cause`: of its events.
  HaltOperation(const Site& site, OperationKind kind, Cause cause = Cause::REQUEST)
      : site(site), cause(cause), operationKind(kind) {}
  // The parameters of the row of one for which a rule has asked, and nobody else; and back.
  static kj::StringPtr parametersOf(Cause cause);
  static Cause causeOf(kj::StringPtr parameters);

  const Site site;
  const Cause cause;

  // The machine, which is taken over where it could not be before.
  kj::Promise<kj::Own<Machine>> machine();
  // Fails when the machine ends first.
  static kj::Promise<void> unlessEnded(Machine& machine, kj::Promise<void> work);

  // Brings the CPUs back.
  virtual kj::Promise<void> undo(Machine& machine) = 0;
  // Of the event, where it has succeeded, and where it has not: what `why` keeps.
  virtual kj::String detail() = 0;
  virtual kj::String detailOfFailure(kj::StringPtr why) = 0;
  // Whether the CPUs are as they are to be after it.
  virtual bool isDone(Machine& machine) = 0;
  // With which it ends.
  virtual WorkspaceJournal::Rows rowsAfter(Outcome outcome) {
    return site.journal.ending(operationKind, outcome);
  }

  // Its machine was gone when a bothyd was started anew; and what is told of that.
  bool isGone = false;
  kj::String whatIsGone = kj::str(MACHINE_GONE);

private:
  const OperationKind operationKind;
  kj::Maybe<kj::String> whyFailed;

  kj::Promise<Settled> settleGone();
};

}  // namespace bothy
