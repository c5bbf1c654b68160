#pragma once

#include "workspace/operations/site.h"
#include "workspace/start-report.h"

namespace bothy {

// The way of a workspace from a stop, or from its guest's wish to reboot, to an agent that answers.
class StartOperation final: public Operation {
public:
  // Whether a client asked, or did so with the creation that is under way (RECREATION: of one that had expired), or the guest; or the memory
  // that it was to go on with is lost.
  enum class Way { REQUEST, CREATION, RECREATION, REBOOT, MEMORY_LOST };
  // The rows with which one begins.
  static WorkspaceJournal::Rows beginning(const Site& site, Way way);

  // `parameters`: of the row.
  StartOperation(const Site& site, kj::StringPtr parameters);
  // Of the one that this row is of; none: it is no start's.  What an earlier bothyd has begun is REQUEST for a creation too.
  static kj::Maybe<Way> wayOf(const OperationRow& row);
  // Whether the guest asked for the one that this row is of.
  static bool isOfReboot(const OperationRow& row);
  // Before it begins: it does nothing for so long.
  void waitFirst(kj::Duration time) { pause = time; }

  // What came of it.
  kj::Own<StartReport> report() { return outcome->addRef(); }
  // There may be a machine of it, and what the console says is that machine's.
  bool hasMachine() const { return isMade; }

  kj::StringPtr kind() const override { return nameOf(OperationKind::START); }
  kj::ArrayPtr<const Step> steps() const override;
  // From its beginning in an earlier bothyd, that has `left`: a machine that may run has the time of a boot at least.
  kj::Duration limitAfterRestart(kj::StringPtr step, kj::Duration left) const;

  kj::Maybe<kj::Duration> limit() const override { return site.world.deadlines.start; }
  // Its steps have limits of their own: a wait for others is not the same as a machine that does not answer.
  kj::Maybe<kj::Duration> limitOf(size_t) const override { return nullptr; }
  kj::Promise<void> run(size_t step) override;
  kj::Promise<size_t> resume(size_t step) override;
  kj::Promise<Settled> settle(kj::Maybe<kj::Exception> failure) override;

private:
  const Site site;
  const bool isReboot;
  const bool isOfLostMemory;
  kj::Duration pause = 0 * kj::SECONDS;
  kj::Own<StartReport> outcome = kj::refcounted<StartReport>();
  // What it is if the step under way fails.
  StartFault fault = StartFault::OTHER;
  bool isMade = false;
  // Nothing is left of an earlier machine.
  bool isCleared = false;
  kj::String agentVersion;
  kj::String console;  // its end, of the machine of a start that failed

  kj::Promise<void> clear();
  // What the next machine is known by: stored before there is one, so that a bothyd that takes it over knows it.
  kj::Promise<void> lease();
  kj::Promise<void> check();
  // To what a change of its tier has promised.
  kj::Promise<void> growDisk();
  kj::Promise<void> launch();
  kj::Promise<kj::Own<RunningVm>> startMachine(VmSpec spec);
  kj::Promise<void> awaitAgent();
  // Before anybody else reaches its agent.
  kj::Promise<void> configure();
  Image requireImage();
  kj::Duration bootLimit() const;
  kj::Promise<Settled> settleFailure(kj::Exception exception);
  // Whether it is gone, and its lease may be released.
  kj::Promise<bool> endMachine();
};

uint64_t diskBytes(const WorkspaceRow& row);

}  // namespace bothy
