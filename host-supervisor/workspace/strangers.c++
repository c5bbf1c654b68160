#include "workspace/strangers.h"

#include <kj/debug.h>

#include "loop/failure-of.h"
#include "workspace/steps.h"

namespace bothy {

Strangers::Strangers(const World& world, MachineLeases& leases, WorkspaceRegistry& registry)
    : world(world), leases(leases), registry(registry), tasks(*this) {}

void Strangers::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "a task for machines of no workspace failed", exception.getDescription());
}

kj::Promise<kj::Vector<kj::Own<Workspace>>> Strangers::examine(kj::Array<MachineRow> rows,
                                                               Database database) {
  kj::Vector<kj::Own<Workspace>> besides;
  auto disks = co_await listDisks(database);
  co_await examineDisksAndKeys(database, disks);
  auto users = co_await findUsers(kj::mv(disks));
  KJ_IF_MAYBE (found, users) {
    auto examined = examineUserIds(rows, *found);
    besides = kj::mv(examined.workspaces);
    co_await examined.strays.exclusiveJoin(world.timer.afterDelay(world.deadlines.destroyVm));
  } else {
    tasks.add(keepExaminingUserIds(kj::mv(rows)));
  }
  tasks.add(removeStrayFiles());
  co_return besides;
}

// ---------------------------------------------------------------------------------------------
// User ids

// The driver has a record of each machine before there is anything of it, and until nothing of it is left; then its disk is that user's
// until it is taken back, which a bothyd that was killed had no time for.  nullptr: not all of them can be read, and no machine gets a
// user id.
kj::Promise<kj::Maybe<Strangers::Users>> Strangers::findUsers(kj::Maybe<Disks> disks) {
  Users users;
  auto failure = co_await failureOf([&]() {
    return within(world.timer, world.deadlines.disk, "the records could not be read",
                  kj::evalNow([this]() { return world.driver.users(); }))
        .then([&](auto recorded) { users.recorded = kj::mv(recorded); });
  });
  auto why = failure.map([](const kj::Exception& e) {
    return kj::str("which user ids machines have cannot be read: ", lineOf(e));
  });
  KJ_IF_MAYBE (listed, disks) {
    for (auto& disk : *listed) {
      KJ_IF_MAYBE (uid, disk.user) users.ofDisks.add(Users::OfDisk{kj::str(disk.id), *uid});
    }
  } else if (why == nullptr) {
    why = kj::str("whose the disks are cannot be read; the log says why");
  }
  KJ_IF_MAYBE (w, why) {
    KJ_LOG(ERROR, "no user id is given to a machine; trying again", *w);
    leases.close(kj::mv(*w));
    // Nobody has to wait for the disks to be listed.
    for (auto& machine : users.recorded) {
      if (!registry.has(machine.name)) tasks.add(beginToEnd(machine.name));
    }
    co_return nullptr;
  }
  co_return kj::mv(users);
}

kj::Promise<void> Strangers::keepExaminingUserIds(kj::Array<MachineRow> rows) {
  kj::Vector<kj::Own<Workspace>> besides;
  for (auto pauses = world.pauses();;) {
    co_await pauses.next();
    // Until this has succeeded no machine on the host gets a user id, so nothing may end it before.
    kj::Maybe<kj::Exception> failure;
    try {
      auto disks = co_await listDisks(Database::IN_USE);
      auto users = co_await findUsers(kj::mv(disks));
      KJ_IF_MAYBE (found, users) {
        besides = examineUserIds(rows, *found).workspaces;
        leases.reopen();
        break;
      }
    } catch (...) {
      failure = kj::getCaughtExceptionAsKj();
    }
    KJ_IF_MAYBE (e, failure) {
      KJ_LOG(ERROR, "user ids could not be examined; trying again", e->getDescription());
    }
  }
  for (auto& workspace : besides) {
    // Whose operation is under way by now looks after its machine itself.
    if (!workspace->isIdle()) continue;
    co_await workspace->recover();
  }
}

Strangers::Examined Strangers::examineUserIds(kj::ArrayPtr<const MachineRow> rows,
                                              const Users& users) {
  kj::HashMap<kj::StringPtr, uint32_t> known;
  for (auto& row : rows) {
    if (row.workspaceId.size() > 0) known.insert(row.workspaceId, row.uid);
  }
  kj::Vector<kj::Own<Workspace>> besides;
  kj::HashSet<kj::StringPtr> found;
  auto note = [&](kj::StringPtr id) {
    // What belongs to a workspace is its own affair.
    if (!registry.has(id)) found.upsert(id, [](auto&, auto&&) {});
    if (registry.present(id) != nullptr) return;
    KJ_IF_MAYBE (workspace, registry.byId(id)) besides.add(kj::mv(*workspace));
  };
  for (auto& machine : users.recorded) {
    note(machine.name);
    auto stored = known.find(machine.name).orDefault(0);
    KJ_IF_MAYBE (uid, machine.uid) {
      if (stored == *uid) continue;
      KJ_LOG(ERROR, "a machine has a user id of which the database does not tell", machine.name,
             *uid);
      leases.bar(machine.name, *uid);
    } else if (stored == 0) {
      barAll(machine.name);
    }
  }
  for (auto& disk : users.ofDisks) {
    if (known.find(disk.id).orDefault(0) == disk.uid) continue;
    note(disk.id);
    KJ_LOG(ERROR, "a disk is a user's of which the database does not tell", disk.id, disk.uid);
    leases.bar(disk.id, disk.uid);
  }
  auto tries = KJ_MAP(stray, found) {
    return beginToEnd(stray);
  };
  return {kj::mv(besides), kj::joinPromises(kj::mv(tries))};
}

void Strangers::barAll(kj::StringPtr machine) {
  auto whose = kj::str("of no workspace, ", machine, ",");
  auto advice = "the log says what keeps bothyd from ending it"_kj;
  KJ_IF_MAYBE (workspace, registry.byId(machine)) {
    whose = kj::str("of workspace ", (*workspace)->row().name);
    advice = "delete that workspace"_kj;
  }
  leases.barAll(machine,
                kj::str("which user id the machine ", whose,
                        " has cannot be read, so that no other may be given one: ", advice));
}

// ---------------------------------------------------------------------------------------------
// Machines and files

// Resolves when that was tried once; it is tried until it succeeds.
kj::Promise<void> Strangers::beginToEnd(kj::StringPtr stray) {
  if (strays.contains(stray)) return kj::READY_NOW;
  strays.insert(kj::str(stray));
  auto paf = kj::newPromiseAndFulfiller<void>();
  tasks.add(keepEnding(kj::str(stray), kj::mv(paf.fulfiller)));
  return kj::mv(paf.promise);
}

kj::Promise<void> Strangers::keepEnding(kj::String stray,
                                        kj::Own<kj::PromiseFulfiller<void>> tried) {
  for (auto pauses = world.pauses();;) {
    auto failure = co_await failureOf([&]() { return end(stray); });
    tried->fulfill();
    KJ_IF_MAYBE (e, failure) {
      KJ_LOG(ERROR, "a machine that belongs to no workspace is left; trying again", stray,
             e->getDescription());
      co_await pauses.next();
    } else {
      break;
    }
  }
  KJ_LOG(WARNING, "nothing is left of a machine that belongs to no workspace", stray);
  strays.eraseMatch(stray);
}

kj::Promise<void> Strangers::end(kj::StringPtr stray) {
  auto place = co_await leases.removals.take();
  co_await within(world.timer, world.deadlines.destroyVm, "it could not be ended",
                  kj::evalNow([&]() { return world.driver.remove(stray); }));
  // What is in a disk that belongs to no workspace is left as it is, but not to whoever has the user id next.
  co_await within(world.timer, world.deadlines.destroyVm, "its disk could not be taken from it",
                  kj::evalNow([&]() { return world.volumes.reclaim(stray); }));
  leases.lift(stray);
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

// ---------------------------------------------------------------------------------------------
// Disks and keys

// A row is stored before its key and its disk are made, and removed after they are destroyed: whatever
// bothyd was killed in, none of them is without a row.  One that is says that the database is not the one
// it was made with, and then nothing is the right thing to do to it.
template <typename T>
kj::Promise<kj::Maybe<T>> Strangers::listed(Database database, kj::StringPtr complaint,
                                            kj::Promise<T> listing) {
  kj::Maybe<kj::Exception> failure;
  try {
    co_return co_await within(world.timer, world.deadlines.disk, complaint, kj::mv(listing));
  } catch (...) {
    failure = kj::getCaughtExceptionAsKj();
  }
  auto& e = KJ_ASSERT_NONNULL(failure);
  if (database == Database::NEW) kj::throwFatalException(kj::mv(e));
  KJ_LOG(ERROR, "whether there are disks and keys of no workspace is not known",
         e.getDescription());
  co_return nullptr;
}

kj::Promise<kj::Maybe<Strangers::Disks>> Strangers::listDisks(Database database) {
  return listed(database, "the disks could not be listed",
                kj::evalNow([this]() { return world.volumes.list(); }));
}

kj::Promise<void> Strangers::examineDisksAndKeys(Database database, const kj::Maybe<Disks>& disks) {
  kj::Vector<kj::StringPtr> volumes, keys;
  auto allKeys = co_await listed(database, "the keys could not be listed",
                                 kj::evalNow([this]() { return world.keys.list(); }));
  KJ_IF_MAYBE (all, disks) {
    for (auto& disk : *all) {
      if (!registry.has(disk.id)) volumes.add(disk.id);
    }
  }
  KJ_IF_MAYBE (all, allKeys) {
    for (auto& key : *all) {
      if (!registry.has(key)) keys.add(key);
    }
  }
  if (database == Database::NEW && volumes.size() + keys.size() > 0) {
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
