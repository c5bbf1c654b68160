#include "workspace/strangers.h"

#include <kj/debug.h>

#include "workspace/steps.h"

namespace bothy {

Strangers::Strangers(const World& world, MachineLeases& leases, WorkspaceRegistry& registry)
    : world(world), leases(leases), registry(registry), tasks(*this) {}

void Strangers::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "a task for machines of no workspace failed", exception.getDescription());
}

kj::Promise<kj::Vector<kj::Own<Workspace>>> Strangers::examine(kj::Array<MachineRow> rows,
                                                               Database database) {
  kj::Vector<kj::Own<Workspace>> found;
  KJ_IF_MAYBE (users, recordedUsers()) {
    examineUserIds(rows, *users);
    found = recordedOnly(*users);
  } else {
    tasks.add(keepExaminingUserIds(kj::mv(rows)));
  }
  co_await examineDisksAndKeys(database);
  // What belongs to a workspace is its own affair.
  if (!co_await removeStrays()) tasks.add(keepRemovingStrays());
  tasks.add(removeStrayFiles());
  co_return found;
}

// nullptr: they cannot be read, and no machine gets a user id.
kj::Maybe<kj::Array<VmDriver::MachineUser>> Strangers::recordedUsers() {
  kj::Maybe<kj::Array<VmDriver::MachineUser>> users;
  KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() { users = world.driver.users(); })) {
    KJ_LOG(ERROR, "which user ids machines have cannot be read; trying again", e->getDescription());
    leases.close(kj::str("which user ids machines have cannot be read: ", lineOf(*e)));
  }
  return users;
}

// Of a machine that is gone its record may be left.
kj::Vector<kj::Own<Workspace>> Strangers::recordedOnly(
    kj::ArrayPtr<const VmDriver::MachineUser> users) {
  kj::Vector<kj::Own<Workspace>> found;
  for (auto& machine : users) {
    if (registry.present(machine.name) != nullptr) continue;
    KJ_IF_MAYBE (workspace, registry.byId(machine.name)) found.add(kj::mv(*workspace));
  }
  return found;
}

kj::Promise<void> Strangers::keepExaminingUserIds(kj::Array<MachineRow> rows) {
  for (auto pauses = world.pauses();;) {
    co_await pauses.next();
    KJ_IF_MAYBE (users, recordedUsers()) {
      examineUserIds(rows, *users);
      leases.reopen();
      for (auto& workspace : recordedOnly(*users)) {
        // Whose operation is under way by now looks after its machine itself.
        if (workspace->isIdle()) co_await workspace->recover();
      }
      if (strays.size() > 0 && !keepsRemovingStrays) co_await keepRemovingStrays();
      co_return;
    }
  }
}

// The driver has a record of each machine before there is anything of it, and until nothing of it is left.  Of one of which the database
// does not tell whose user id it has, that record does.
void Strangers::examineUserIds(kj::ArrayPtr<const MachineRow> rows,
                               kj::ArrayPtr<const VmDriver::MachineUser> users) {
  kj::HashMap<kj::StringPtr, uint32_t> known;
  for (auto& row : rows) {
    if (row.workspaceId.size() > 0) known.insert(row.workspaceId, row.uid);
  }
  for (auto& machine : users) {
    auto stored = known.find(machine.name);
    if (!registry.has(machine.name)) strays.upsert(kj::str(machine.name), [](auto&, auto&&) {});
    KJ_IF_MAYBE (uid, machine.uid) {
      if (stored.orDefault(0) == *uid) continue;
      KJ_LOG(ERROR, "a machine has a user id of which the database does not tell", machine.name,
             *uid);
      leases.bar(machine.name, *uid);
    } else if (stored.orDefault(0) == 0) {
      auto whose = kj::str("of no workspace, ", machine.name, ",");
      auto advice = "the log says what keeps bothyd from ending it"_kj;
      KJ_IF_MAYBE (workspace, registry.byId(machine.name)) {
        whose = kj::str("of workspace ", (*workspace)->row().name);
        advice = "delete that workspace"_kj;
      }
      leases.barAll(machine.name, kj::str("which user id the machine ", whose,
                                          " has cannot be read, so that no other may be given "
                                          "one: ",
                                          advice));
    }
  }
}

// Whether none is left.  A machine that cannot be ended keeps nobody from serving the others.
kj::Promise<bool> Strangers::removeStrays() {
  kj::Maybe<kj::Exception> failure;
  try {
    co_await within(world.timer, world.deadlines.destroyVm,
                    "machines that belong to no workspace could not be ended", endStrays());
  } catch (...) {
    failure = kj::getCaughtExceptionAsKj();
  }
  KJ_IF_MAYBE (e, failure) {
    KJ_LOG(ERROR, "machines that belong to no workspace are left; trying again",
           e->getDescription());
  }
  co_return failure == nullptr;
}

kj::Promise<void> Strangers::endStrays() {
  auto isKnown = [this](kj::StringPtr id) { return registry.has(id); };
  auto removed = co_await world.driver.removeStrays(isKnown);
  for (auto& name : removed) {
    KJ_LOG(WARNING, "removed a machine that belongs to no workspace", name);
    if (!strays.contains(name)) strays.insert(kj::mv(name));
  }
  while (strays.size() > 0) {
    auto name = kj::str(*strays.begin());
    // A disk that belongs to no workspace is left as it is, but not to whoever has the user id next.
    co_await world.volumes.reclaim(name);
    leases.lift(name);
    strays.eraseMatch(name);
  }
}

kj::Promise<void> Strangers::keepRemovingStrays() {
  keepsRemovingStrays = true;
  KJ_DEFER(keepsRemovingStrays = false);
  auto pauses = world.pauses();
  do {
    co_await pauses.next();
  } while (!co_await removeStrays());
}

// Without a limit: nobody waits for it.
kj::Promise<void> Strangers::removeStrayFiles() {
  auto removing = kj::evalNow([this]() {
    return world.files.removeStrays([this](kj::StringPtr id) { return registry.has(id); });
  });
  return removing.then(
      [](kj::Array<kj::String> removed) {
        for (auto& id : removed) {
          KJ_LOG(INFO, "removed the files of a machine that belongs to no workspace", id);
        }
      },
      [](kj::Exception&& e) {
        KJ_LOG(ERROR, "files of machines that belong to no workspace are left", e.getDescription());
      });
}

// A row is stored before its key and its disk are made, and removed after they are destroyed: whatever
// bothyd was killed in, none of them is without a row.  One that is says that the database is not the one
// it was made with, and then nothing is the right thing to do to it.
kj::Promise<void> Strangers::examineDisksAndKeys(Database database) {
  const bool isNew = database == Database::NEW;
  auto strangers = [this](kj::Array<kj::String> found) {
    kj::Vector<kj::String> result;
    for (auto& id : found) {
      if (!registry.has(id)) result.add(kj::mv(id));
    }
    return result;
  };
  kj::Vector<kj::String> volumes, keys;
  kj::Maybe<kj::Exception> failure;
  try {
    volumes = strangers(co_await within(world.timer, world.deadlines.disk,
                                        "the disks could not be listed", world.volumes.list()));
    keys = strangers(co_await within(world.timer, world.deadlines.disk,
                                     "the keys could not be listed", world.keys.list()));
  } catch (...) {
    failure = kj::getCaughtExceptionAsKj();
  }
  KJ_IF_MAYBE (e, failure) {
    if (isNew) kj::throwFatalException(kj::mv(*e));
    KJ_LOG(ERROR, "whether there are disks and keys of no workspace is not known",
           e->getDescription());
    co_return;
  }
  if (volumes.size() + keys.size() == 0) co_return;
  if (isNew) {
    KJ_FAIL_REQUIRE(
        "the database is new, and there are disks or keys of workspaces: put the database back "
        "that they belong to, or move the state directory away and begin with an empty one",
        volumes.size(), keys.size());
  }
  for (auto& id : volumes) {
    KJ_LOG(ERROR, "a disk belongs to no workspace of the database, and is left as it is", id,
           world.volumes.path(id));
  }
  for (auto& id : keys) {
    KJ_LOG(ERROR, "a key belongs to no workspace of the database, and is left as it is", id);
  }
}

}  // namespace bothy
