#pragma once

#include <capnp/message.h>
#include <kj/timer.h>

#include "process/child-process.h"
#include "setup/setup-helper.h"
#include "setup/step-output.h"
#include "wire/waiters.h"

namespace bothy {

// The configuration of the workspace whose machine this is: the variables of its programs, and the steps that set it up (setup.capnp).
class WorkspaceSetup final {
public:
  enum class Disk { PRESENT, NONE };
  // `programs` outlives it.  Without a disk nothing is set up.
  WorkspaceSetup(Programs& programs, Disk disk, SetupHelper::Directories directories = {});
  ~WorkspaceSetup() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(WorkspaceSetup);

  // Begins, or goes on where the journal says.  The same steps may be given again; others fail.
  void configure(rpc::Configuration::Reader configuration);
  // The step that has failed is done again.
  void retry();
  // The machine ends: no step begins any more, and what becomes of the one under way is not noted.
  void close();

  // Resolves when the status has a revision above `revision`.
  kj::Promise<void> onChange(uint64_t revision);
  void writeTo(rpc::SetupStatus::Builder status) const;

private:
  class StepSink;
  // Until the journal is read it is not known whether they are done: nothing is told.
  enum class Phase { NOTHING, READING, RUNNING, COMPLETE, FAILED };

  Programs& programs;
  const Disk disk;
  const SetupHelper::Directories directories;
  kj::Maybe<kj::Own<capnp::MallocMessageBuilder>> plan;

  Phase phase = Phase::NOTHING;
  // What is noted.
  SetupState state;
  bool isRead = false;
  // This step of this boot has ended well, which is still to be noted.
  kj::Maybe<uint32_t> ended;
  // It is to be tried again, which is still to be noted.
  bool isAsked = false;
  LastLine line;
  uint64_t revision = 0;
  Waiters waiters;
  kj::TimePoint lastTold = kj::origin<kj::TimePoint>();
  bool isTellingLater = false;
  kj::Promise<void> tellingLater = nullptr;
  kj::Promise<void> running = nullptr;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> retried;

  rpc::SetupPlan::Reader steps() const;
  void tell();
  // That the last line has changed: not at once where that was told just now.
  void tellSoon();
  kj::Promise<void> run();
  bool isEnded(uint32_t step) const { return ended.orDefault(UINT32_MAX) == step; }
  // Until all are done, or one that had failed is to be tried again; or it fails with what is no step's fault.
  kj::Promise<void> runSteps();
  kj::Promise<void> fail(StepFailure failure);
  // None: it has ended well.
  kj::Promise<kj::Maybe<StepFailure>> tryStep(SetupHelper& helper, uint32_t step);
  kj::Promise<kj::Maybe<StepFailure>> runStep(SetupHelper& helper, uint32_t step);
  kj::Promise<kj::Maybe<StepFailure>> place(SetupHelper& helper, uint32_t step);
  kj::Promise<kj::Maybe<StepFailure>> runCommand(SetupHelper& helper, uint32_t step);
};

}  // namespace bothy
