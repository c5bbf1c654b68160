#pragma once

#include "workspace/operations/halt-operation.h"

namespace bothy {

// Writes the memory of a workspace's machine to an encrypted file beside its disk, and ends the machine.
class HibernateOperation final: public HaltOperation {
public:
  // The rows with which one begins.
  static WorkspaceJournal::Rows beginning(const Site& site, Cause cause = Cause::REQUEST);

  // `parameters`: of its row.
  HibernateOperation(const Site& site, kj::StringPtr parameters)
      : HaltOperation(site, OperationKind::HIBERNATE, causeOf(parameters)) {}

  // It came to nothing as the host's disk could not hold the memory.
  bool noSpace() const { return hasNoSpace; }

  kj::ArrayPtr<const Step> steps() const override;
  kj::Maybe<kj::Duration> limitOf(size_t step) const override;
  kj::Promise<void> run(size_t step) override;
  kj::Promise<size_t> resume(size_t step) override;
  kj::Promise<Settled> settle(kj::Maybe<kj::Exception> failure) override;

private:
  bool hasNoSpace = false;
  // Until its CPUs were told to go on for this: a paused one that cannot be saved stays paused.
  bool isAsPaused = false;
  // What the memory takes on the disk.
  uint64_t bytes = 0;
  kj::Duration took = 0 * kj::SECONDS;

  kj::Promise<void> makeRoom();
  kj::Promise<void> freeze();
  kj::Promise<void> save();
  kj::Promise<void> seal();
  kj::Promise<void> sealOnce();
  kj::Promise<void> discard();
  kj::Promise<Settled> settleSaved();
  kj::Promise<void> undo(Machine& machine) override;
  kj::String detail() override;
  kj::String detailOfFailure(kj::StringPtr why) override;
  bool isDone(Machine&) override { return false; }
  WorkspaceJournal::Rows rowsAfter(Outcome outcome) override;
};

// What memory of so many MiB takes at most, with the states of devices.
uint64_t bytesOfMemory(uint32_t memoryMib);

}  // namespace bothy
