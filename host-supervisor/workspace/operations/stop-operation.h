#pragma once

#include "workspace/operations/site.h"

namespace bothy {

enum class StopKind { ORDERLY, FORCED, ALREADY };

// Ends the machine of a workspace, in order if that can be.
class StopOperation final: public Operation {
public:
  // Whether the machine is asked first.
  enum class Way { ASK, FORCE };
  // The rows with which one begins.
  static WorkspaceJournal::Rows beginning(const Site& site, Way way, uint32_t graceMillis);

  // Of the row.  `deadlineNanos`: when the grace is over, 0 where that is not known.
  StopOperation(const Site& site, kj::StringPtr parameters, int64_t deadlineNanos);
  // Before it begins: it is of a start that was under way; `kind` says whether there was a machine already.
  void endStart(StopKind kind);

  // What came of it.
  StopKind outcome() const;

  kj::StringPtr kind() const override { return nameOf(OperationKind::STOP); }
  kj::ArrayPtr<const Step> steps() const override;
  kj::Maybe<kj::Duration> limitOf(size_t step) const override;
  kj::Promise<void> run(size_t step) override;
  kj::Promise<size_t> resume(size_t step) override;
  kj::Promise<Settled> settle(kj::Maybe<kj::Exception> failure) override;

private:
  const Site site;
  const int64_t deadlineNanos;
  const bool hasMemory;
  uint32_t graceMillis;
  bool isOfStart = false;
  // Its machine was gone before it could be asked.
  bool isGone = false;
  kj::Maybe<VmEnd> ended;
  kj::Maybe<StopKind> kindOfEnd;

  kj::Promise<void> ask();
  // Of one that is paused: until its agent answers.
  kj::Promise<void> letGoOn(Machine& machine);
  kj::Promise<void> takeOver();
  kj::Promise<void> powerOff();
  kj::Promise<void> end();
  kj::Promise<void> endMachine();
};

}  // namespace bothy
