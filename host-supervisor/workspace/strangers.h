#pragma once

#include <kj/map.h>

#include "workspace/workspace-registry.h"

namespace bothy {

// What is on the host, and no row of the database tells of: machines, their user ids and files, disks and keys.
class Strangers final: private kj::TaskSet::ErrorHandler {
public:
  // All of them outlive it.
  Strangers(const World& world, MachineLeases& leases, WorkspaceRegistry& registry);
  KJ_DISALLOW_COPY_AND_MOVE(Strangers);

  enum class Database { NEW, IN_USE };
  // Once, before any lease is given, when the registry and the leases have entered the rows of the store: bars the user ids of which no
  // row tells, until nothing of their machines is left and their disks are root's; ends machines of no workspace, takes back their
  // disks, and removes their files.  `rows` are the store's.  What cannot be read or ended now is tried again in the background, and one
  // that cannot be ended keeps its own user id alone; as long as not all can be read no lease is given.  Returns workspaces that rest, and
  // of which only a record of the driver or their disk tells that they have a user id: they want to be recovered.  Fails if the database is
  // NEW and there are disks or keys, or that is not known.
  kj::Promise<kj::Vector<kj::Own<Workspace>>> examine(kj::Array<MachineRow> rows,
                                                      Database database);
  // All that it can do is done.
  bool isIdle() { return strays.size() == 0 && tasks.isEmpty(); }

private:
  const World& world;
  MachineLeases& leases;
  WorkspaceRegistry& registry;
  // Machines of no workspace, and such of which only a disk is left that is a user's, until their user ids are free.  A task ends each.
  kj::HashSet<kj::String> strays;
  kj::TaskSet tasks;

  using Disks = kj::Array<VolumeStore::Listed>;
  // Who may have a user id.
  struct Users {
    struct OfDisk {
      kj::String id;
      uint32_t uid;
    };
    kj::Array<VmDriver::MachineUser> recorded;
    kj::Vector<OfDisk> ofDisks;
  };

  kj::Promise<kj::Maybe<Users>> findUsers(kj::Maybe<Disks> disks);
  kj::Promise<void> keepExaminingUserIds(kj::Array<MachineRow> rows);
  struct Examined {
    // Workspaces at rest to which one of the user ids belongs.
    kj::Vector<kj::Own<Workspace>> workspaces;
    // Resolves when each stray that was found was tried to be ended once.
    kj::Promise<void> strays;
  };
  Examined examineUserIds(kj::ArrayPtr<const MachineRow> rows, const Users& users);
  void barAll(kj::StringPtr machine);
  // nullptr: it fails, and the database is not new.
  template <typename T>
  kj::Promise<kj::Maybe<T>> listed(Database database, kj::StringPtr complaint,
                                   kj::Promise<T> listing);
  kj::Promise<kj::Maybe<Disks>> listDisks(Database database);
  kj::Promise<void> examineDisksAndKeys(Database database, const kj::Maybe<Disks>& disks);
  kj::Promise<void> beginToEnd(kj::StringPtr stray);
  kj::Promise<void> keepEnding(kj::String stray, kj::Own<kj::PromiseFulfiller<void>> tried);
  kj::Promise<void> end(kj::StringPtr stray);
  kj::Promise<void> removeStrayFiles();
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
