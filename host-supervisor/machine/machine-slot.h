#pragma once

#include "machine/machine-leases.h"
#include "machine/machine-world.h"
#include "machine/machine.h"

namespace bothy {

// The machine of one workspace, while there is one.
class MachineSlot final {
public:
  // Whose machine it is.
  class Owner {
  public:
    // As it is stored: there, as long as something may be left of a machine.
    virtual const kj::Maybe<MachineRow>& machineRow() const = 0;
    // Stores that nothing of a machine is left, which releases its lease.  A store that is away is asked again; one that
    // refuses makes it fail.
    virtual kj::Promise<void> removeMachineRow() = 0;
    // Of the machine of the row, which may run.
    virtual VmSpec specToAdopt() = 0;
    // Makes its disk root's again.
    virtual kj::Promise<void> reclaimDisk() = 0;
    // A machine that is watched has ended: once for each.
    virtual kj::Promise<void> ended(VmEnd end) = 0;
    // Its agent reports it.
    virtual void happened(Cause cause, kj::StringPtr detail) = 0;
    // isEmpty() may have another answer.
    virtual void slotChanged() = 0;
  };

  // `name`: for the driver; `workspace`: for the log.
  MachineSlot(MachineWorld world, Owner& owner, MachineLeases& leases, kj::StringPtr name,
              kj::StringPtr workspace);
  ~MachineSlot() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(MachineSlot);

  // The one that runs, as far as is known.
  kj::Maybe<Machine&> current();
  // There is none, and none is being removed in the background.
  bool isEmpty() const { return machine == nullptr && !isRemoving; }

  void take(kj::Own<RunningVm> vm);
  // Takes over the machine that an earlier bothyd started: whether there is one.  Fails if that is so and cannot be done; then it
  // goes on.
  kj::Promise<bool> adopt();
  // The same, for who has to go on.
  struct Adoption {
    bool isThere = false;
    kj::Maybe<kj::Exception> failure;
  };
  kj::Promise<Adoption> tryToAdopt();

  // Its end is reported from now on.
  void watch();
  // Since then.
  kj::TimePoint watchedSince() const { return since; }
  // Nothing is reported, and nothing removed in the background, any more.
  void forget();
  // Breaks what clients still hold of it.
  void retire();

  // Ends current(), if it can within the deadline, and returns whether nothing is left of that.
  kj::Promise<bool> tryToEnd();
  // Ends whatever machine of this workspace is on the host, within the deadline.
  kj::Promise<void> remove(kj::StringPtr complaint = "the machine could not be ended"_kj);
  // Makes the disk root's again, of a machine of which nothing is left: whether that is done, and its lease may be released.
  kj::Promise<bool> reclaimDisk();
  // Both in the background, until they succeed; releases the lease then.
  void removeLater();
  // The end of an operation that has no more use for the machine, before it is stored: who holds it learns of its end, and what can be
  // removed is, though the store takes nothing.  Whether the lease may be released with what is stored; if not, removeLater() has begun.
  enum class Left { NOTHING, PERHAPS };
  kj::Promise<bool> giveUp(Left left);

  // For the next machine, in the store before that has it: a bothyd that takes over must know it.
  kj::Array<const kj::byte> newSecret();

private:
  const MachineWorld world;
  Owner& owner;
  MachineLeases& leases;
  const kj::String name;
  const kj::String workspace;
  kj::Maybe<kj::Own<Machine>> machine;
  kj::TimePoint since = kj::origin<kj::TimePoint>();
  kj::Promise<void> watching = nullptr;
  kj::Promise<void> removing = nullptr;
  bool isRemoving = false;

  kj::Promise<void> removeOnce(kj::StringPtr complaint);
  kj::Promise<void> reclaimOnce(kj::Duration limit);
  kj::Promise<void> removeInTurn(kj::StringPtr complaint);
  kj::Promise<void> keepRemoving(kj::StringPtr complaint);
};

}  // namespace bothy
