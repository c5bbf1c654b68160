#pragma once

#include "workspace/operations/halt-operation.h"

namespace bothy {

// Stops the CPUs of a workspace that runs, and keeps its memory.
class PauseOperation final: public HaltOperation {
public:
  // The rows with which one begins.
  static WorkspaceJournal::Rows beginning(const Site& site, Cause cause = Cause::REQUEST);

  // `parameters`: of its row.
  PauseOperation(const Site& site, kj::StringPtr parameters);

  kj::ArrayPtr<const Step> steps() const override;
  kj::Maybe<kj::Duration> limitOf(size_t step) const override;
  kj::Promise<void> run(size_t step) override;

private:
  kj::Promise<void> undo(Machine& machine) override { return machine.resume(); }
  kj::String detail() override;
  kj::String detailOfFailure(kj::StringPtr why) override;
  bool isDone(Machine& machine) override { return machine.isVmPaused(); }
};

}  // namespace bothy
