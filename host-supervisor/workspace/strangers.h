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
  // row tells, ends machines of no workspace, and removes their files.  `rows` are the store's.  What cannot be read or ended now is
  // tried again in the background.  Returns workspaces that rest, and of which only the driver's records tell: they may have a machine, and
  // want to be recovered.  Fails if the database is NEW and there are disks or keys.
  kj::Promise<kj::Vector<kj::Own<Workspace>>> examine(kj::Array<MachineRow> rows,
                                                      Database database);

private:
  const World& world;
  MachineLeases& leases;
  WorkspaceRegistry& registry;
  // Machines of no workspace, until their user ids are free.
  kj::HashSet<kj::String> strays;
  bool keepsRemovingStrays = false;
  kj::TaskSet tasks;

  kj::Maybe<kj::Array<VmDriver::MachineUser>> recordedUsers();
  kj::Vector<kj::Own<Workspace>> recordedOnly(kj::ArrayPtr<const VmDriver::MachineUser> users);
  kj::Promise<void> keepExaminingUserIds(kj::Array<MachineRow> rows);
  void examineUserIds(kj::ArrayPtr<const MachineRow> rows,
                      kj::ArrayPtr<const VmDriver::MachineUser> users);
  kj::Promise<void> examineDisksAndKeys(Database database);
  kj::Promise<bool> removeStrays();
  kj::Promise<void> endStrays();
  kj::Promise<void> keepRemovingStrays();
  kj::Promise<void> removeStrayFiles();
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
