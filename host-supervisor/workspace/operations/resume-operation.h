#pragma once

#include "workspace/operations/halt-operation.h"

namespace bothy {

// Lets a workspace go on that is paused.
class ResumeOperation final: public HaltOperation {
public:
  // The rows with which one begins.
  static WorkspaceJournal::Rows beginning(const Site& site);

  explicit ResumeOperation(const Site& site) : HaltOperation(site, OperationKind::RESUME) {}

  kj::ArrayPtr<const Step> steps() const override;
  kj::Maybe<kj::Duration> limitOf(size_t step) const override;
  kj::Promise<void> run(size_t step) override;
  kj::Promise<Settled> settle(kj::Maybe<kj::Exception> failure) override;

private:
  // What has become of the guest's clock, for people.
  kj::String clock;

  kj::Promise<void> greet();
  kj::Promise<void> stepClock(Machine& machine);
  kj::Promise<void> undo(Machine& machine) override;
  kj::String detail() override;
  kj::String detailOfFailure(kj::StringPtr why) override;
  bool isDone(Machine& machine) override { return !machine.isVmPaused(); }
};

}  // namespace bothy
