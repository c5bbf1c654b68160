#pragma once

#include <kj/function.h>

#include "machine/machine.h"
#include "machine/start-fault.h"
#include "workspace/workspace-journal.h"

namespace bothy {

// The machine of one workspace, while there is one.
class MachineSlot final {
public:
  // `ended` is called when a machine that is watched has ended, once for each, and needs no turn; `changed` when isEmpty() may have
  // another answer.
  MachineSlot(const World& world, WorkspaceJournal& journal, MachineLeases& leases,
              kj::Function<kj::Promise<void>(VmEnd)> ended, kj::Function<void()> changed);
  ~MachineSlot() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(MachineSlot);

  // The one that runs, as far as is known.
  kj::Maybe<Machine&> current();
  // There is none, and none is being removed in the background.
  bool isEmpty() const { return machine == nullptr && !isRemoving; }

  // What a start needs; `image`: not for one that runs.
  VmSpec spec(kj::Maybe<Image> image);
  void take(kj::Own<RunningVm> vm);
  // Takes over the machine that an earlier bothyd started: whether there is one.  Fails if that is so and cannot be done; then it
  // goes on.
  kj::Promise<bool> adopt();

  // Its end is reported from now on.
  void watch();
  // Since then.
  kj::TimePoint watchedSince() const { return since; }
  // Nothing is reported, and nothing removed in the background, any more.
  void forget();
  // Breaks what clients still hold of it.
  void retire();

  // Ends whatever machine of this workspace is on the host, within the deadline.
  kj::Promise<void> remove(kj::StringPtr complaint = "the machine could not be ended"_kj);
  // Makes the disk root's again, of a machine of which nothing is left: whether that is done, and its lease may be released.
  kj::Promise<bool> reclaimDisk();
  // Both in the background, until they succeed; releases the lease then.
  void removeLater();

  // For the next machine, in the store before that has it: a bothyd that takes over must know it.
  kj::Array<const kj::byte> newSecret();

  kj::String consoleEnd();
  bool hasPanicked();

private:
  const World& world;
  WorkspaceJournal& journal;
  MachineLeases& leases;
  kj::Function<kj::Promise<void>(VmEnd)> ended;
  kj::Function<void()> changed;
  kj::Maybe<kj::Own<Machine>> machine;
  kj::TimePoint since = kj::origin<kj::TimePoint>();
  kj::Promise<void> watching = nullptr;
  kj::Promise<void> removing = nullptr;
  bool isRemoving = false;

  kj::StringPtr id() const { return journal.row().id; }
  const MachineRow& requireLease();
  kj::Promise<void> removeOnce(kj::StringPtr complaint);
  kj::Promise<void> reclaimOnce(kj::Duration limit);
  kj::Promise<void> keepRemoving(kj::StringPtr complaint);
};

}  // namespace bothy
