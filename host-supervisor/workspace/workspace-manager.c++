#include "workspace/workspace-manager.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"
#include "workspace/steps.h"

namespace bothy {

WorkspaceManager::WorkspaceManager(World worldParam, Limits limits)
    : world(worldParam),
      limits(limits),
      leases(world.timer, world.clock, limits.leases),
      registry(world, leases),
      tasks(*this) {
  world.driver.setEvents(*this);
}

WorkspaceManager::~WorkspaceManager() noexcept(false) {}

void WorkspaceManager::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "a task of the workspace manager failed", exception.getDescription());
}

// ---------------------------------------------------------------------------------------------
// Recovery

kj::Promise<void> WorkspaceManager::recover() {
  auto state = co_await world.store.begin();
  world.events.reached(state.lastEvent);
  const bool isNew = state.lastEvent == 0;
  KJ_LOG(INFO, "the database is ours", state.epoch, state.workspaces.size());
  auto unsettled = registry.enter(state);
  leases.enter(state.machines);
  KJ_IF_MAYBE (users, recordedUsers()) {
    examineUserIds(state.machines, *users);
    for (auto& workspace : recordedOnly(*users)) unsettled.add(kj::mv(workspace));
  } else {
    tasks.add(keepExaminingUserIds(kj::mv(state.machines)));
  }
  co_await examineStrangers(isNew);
  // What belongs to a workspace is its own affair.
  if (!co_await removeStrays()) tasks.add(keepRemovingStrays());
  tasks.add(removeStrayFiles());

  kj::Vector<kj::Promise<void>> recoveries;
  for (auto& workspace : unsettled) {
    auto promise = workspace->recover();
    recoveries.add(promise.attach(kj::mv(workspace)));
  }
  co_await kj::joinPromises(recoveries.releaseAsArray());
}

// nullptr: they cannot be read, and no machine gets a user id.
kj::Maybe<kj::Array<VmDriver::MachineUser>> WorkspaceManager::recordedUsers() {
  kj::Maybe<kj::Array<VmDriver::MachineUser>> users;
  KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() { users = world.driver.users(); })) {
    KJ_LOG(ERROR, "which user ids machines have cannot be read; trying again", e->getDescription());
    leases.close(kj::str("which user ids machines have cannot be read: ", lineOf(*e)));
  }
  return users;
}

// Of a machine that is gone its record may be left.
kj::Vector<kj::Own<Workspace>> WorkspaceManager::recordedOnly(
    kj::ArrayPtr<const VmDriver::MachineUser> users) {
  kj::Vector<kj::Own<Workspace>> found;
  for (auto& machine : users) {
    if (registry.present(machine.name) != nullptr) continue;
    KJ_IF_MAYBE (workspace, registry.byId(machine.name)) found.add(kj::mv(*workspace));
  }
  return found;
}

kj::Promise<void> WorkspaceManager::keepExaminingUserIds(kj::Array<MachineRow> rows) {
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
void WorkspaceManager::examineUserIds(kj::ArrayPtr<const MachineRow> rows,
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
kj::Promise<bool> WorkspaceManager::removeStrays() {
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

kj::Promise<void> WorkspaceManager::endStrays() {
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

kj::Promise<void> WorkspaceManager::keepRemovingStrays() {
  keepsRemovingStrays = true;
  KJ_DEFER(keepsRemovingStrays = false);
  auto pauses = world.pauses();
  do {
    co_await pauses.next();
  } while (!co_await removeStrays());
}

// Without a limit: nobody waits for it.
kj::Promise<void> WorkspaceManager::removeStrayFiles() {
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
kj::Promise<void> WorkspaceManager::examineStrangers(bool isNew) {
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

// ---------------------------------------------------------------------------------------------
// Creating

WorkspaceManager::CreateOutcome WorkspaceManager::outcomeOf(kj::Own<Workspace> workspace,
                                                            Workspace::StartOutcome outcome) {
  // Made, and what came then is over.
  if (outcome.is<Busy>()) return Created{kj::mv(workspace)};
  if (outcome.is<Superseded>()) {
    if (outcome.get<Superseded>().by == Wish::STOP) return Stopped{kj::mv(workspace)};
    StartReport::Failure failure{Stage::CREATING_DISK, StartFault::OTHER,
                                 kj::str("it was deleted before it was ready"), nullptr};
    return kj::mv(failure);
  }
  KJ_IF_MAYBE (underway, outcome.tryGet<Underway>()) return kj::mv(*underway);
  auto& report = *outcome.get<kj::Own<StartReport>>();
  KJ_IF_MAYBE (failure, report.failure) {
    if (failure->noSpace) return NoSpace{kj::str(failure->message)};
    // Others may wait for the same report.
    return StartReport::Failure{failure->stage, failure->fault, kj::str(failure->message),
                                kj::str(failure->console)};
  }
  return Created{kj::mv(workspace)};
}

kj::Promise<WorkspaceManager::CreateOutcome> WorkspaceManager::answerAgain(
    RequestRecord earlier, kj::StringPtr asked, kj::Own<Workspace> workspace,
    kj::Maybe<kj::Own<Progress>> progress) {
  if (earlier.asked != asked) co_return RequestConflict();
  const auto state = workspace->state();
  if (earlier.outcome == RequestOutcome::OPEN && state != WorkspaceState::CREATING &&
      state != WorkspaceState::STARTING) {
    // Its end has been stored since that was read.
    auto ended = co_await world.store.request(earlier.requestId);
    KJ_IF_MAYBE (e, ended) {
      earlier = kj::mv(*e);
    } else {
      co_return outcomeOf(kj::mv(workspace), Superseded{Wish::DELETE});
    }
  }
  switch (earlier.outcome) {
    case RequestOutcome::OPEN:
      break;
    case RequestOutcome::SUCCEEDED:
      co_return Created{kj::mv(workspace)};
    case RequestOutcome::STOPPED:
      co_return Stopped{kj::mv(workspace)};
    case RequestOutcome::FAILED:
      co_return StartReport::Failure{static_cast<Stage>(earlier.stage),
                                     static_cast<StartFault>(earlier.fault),
                                     kj::mv(earlier.message), kj::mv(earlier.console)};
  }
  switch (workspace->state()) {
    case WorkspaceState::CREATING:
    case WorkspaceState::STARTING: {
      auto outcome = co_await workspace->join(kj::mv(progress));
      co_return outcomeOf(kj::mv(workspace), kj::mv(outcome));
    }
    case WorkspaceState::FAILED: {
      StartReport::Failure failure{Stage::STARTING_VM, StartFault::OTHER,
                                   kj::str(workspace->row().failure), nullptr};
      failure.console = co_await consoleOfFile(world, workspace->row().id);
      co_return kj::mv(failure);
    }
    default:
      co_return Created{kj::mv(workspace)};
  }
}

kj::Promise<WorkspaceManager::CreateOutcome> WorkspaceManager::create(
    CreateRequest request, kj::Maybe<kj::Own<Progress>> progress) {
  if (request.requestId.size() > rpc::MAX_REQUEST_ID_BYTES) {
    co_return Invalid{kj::str("requestId has ", request.requestId.size(),
                              " bytes: it must be at most ", rpc::MAX_REQUEST_ID_BYTES)};
  }
  // Before anything is waited for: what a client may send is much longer than what is valid.
  auto checked = check(request.spec, limits.defaults);
  if (checked.is<kj::String>()) co_return Invalid{kj::mv(checked.get<kj::String>())};
  auto& spec = checked.get<CheckedSpec>();
  auto asked = kj::str(request.start ? "start " : "make ", canonicalText(request.spec));
  kj::Own<CreationClaims::Claim> claimed;
  for (;;) {
    claimed = co_await claims.take(request.spec.name, request.requestId);
    if (request.requestId.size() == 0) break;
    auto earlier = co_await world.store.request(request.requestId);
    if (earlier == nullptr) break;
    auto& answered = KJ_ASSERT_NONNULL(earlier);
    // It may have gone since that was read.
    auto found = registry.byId(answered.workspaceId);
    if (found == nullptr) {
      // The next claim would wait for this one.
      claimed = nullptr;
      continue;
    }
    auto workspace = kj::mv(KJ_ASSERT_NONNULL(found));
    claimed = nullptr;
    co_await workspace->quiet();
    if (answered.asked != asked || workspace->state() != WorkspaceState::DELETING) {
      co_return co_await answerAgain(kj::mv(answered), asked, kj::mv(workspace), kj::mv(progress));
    }
    // Half-made when a bothyd was killed, or deleted: its request id goes with it, and the same is made anew.
    co_await workspace->erase().ignoreResult();
  }

  KJ_IF_MAYBE (existing, find(spec.name.text())) {
    co_return Exists{kj::mv(*existing)};
  }
  if (world.images.find(spec.image) == nullptr) co_return NoSuchImage{kj::mv(spec.image)};

  WorkspaceRow row;
  row.id = kj::str(WorkspaceId::generate(world.randomness).text());
  row.name = kj::str(spec.name.text());
  row.image = kj::mv(spec.image);
  row.cpus = spec.cpus;
  row.memoryMib = spec.memoryMib;
  row.diskMib = spec.diskMib;
  row.createdNanos = nanosOf(world.clock.now());
  auto operation = CreateOperation::beginning(world, row.id, request.start, request.requestId);
  kj::Maybe<RequestRecord> record;
  if (request.requestId.size() > 0) {
    record = RequestRecord{kj::mv(request.requestId), kj::mv(asked), kj::str(row.id)};
  }
  // What is begun is carried out though the caller leaves.
  auto begun = co_await carryOut(begin({kj::mv(row), nullptr, kj::mv(operation)}, kj::mv(record),
                                       kj::mv(claimed), kj::mv(progress)),
                                 [this](kj::Promise<void> rest) { tasks.add(kj::mv(rest)); });
  auto outcome = co_await begun.outcome;
  co_return outcomeOf(kj::mv(begun.workspace), kj::mv(outcome));
}

kj::Promise<WorkspaceManager::Begun> WorkspaceManager::begin(
    WorkspaceJournal::Rows rows, kj::Maybe<RequestRecord> request,
    kj::Own<CreationClaims::Claim> claim, kj::Maybe<kj::Own<Progress>> progress) {
  auto& row = rows.row;
  EventRecord event;
  event.timeNanos = row.createdNanos;
  event.workspace = kj::str(row.name);
  event.workspaceId = kj::str(row.id);
  Change change;
  change.add(row.clone()).add(KJ_ASSERT_NONNULL(rows.operation).clone()).tell(kj::mv(event));
  KJ_IF_MAYBE (record, request) change.add(kj::mv(*record));
  auto committed = co_await world.store.commit(kj::mv(change));
  world.events.reached(committed.lastEvent);

  KJ_LOG(INFO, "workspace being made", row.name, row.id, row.image, row.cpus, row.memoryMib,
         row.diskMib);
  auto workspace = registry.add(kj::mv(rows));
  claim = nullptr;
  auto outcome = workspace->make(kj::mv(progress));
  co_return Begun{kj::mv(workspace), kj::mv(outcome)};
}

// ---------------------------------------------------------------------------------------------
// Notices of the driver

void WorkspaceManager::note(kj::StringPtr vmName, Cause cause, kj::StringPtr detail) {
  KJ_IF_MAYBE (workspace, registry.present(vmName)) {
    workspace->note(cause, detail);
  }
}

void WorkspaceManager::vsockLost(kj::StringPtr vmName) {
  note(vmName, Cause::VSOCK_LOST, "connections into the machine are broken");
}

void WorkspaceManager::vsockRestored(kj::StringPtr vmName) {
  note(vmName, Cause::VSOCK_RESTORED, "the machine can be reached again");
}

void WorkspaceManager::vsockNotRestored(kj::StringPtr vmName) {
  note(
      vmName, Cause::VSOCK_NOT_RESTORED,
      "the machine's vsock device could not be replaced: it is tried each minute, and a stop and a "
      "start of the workspace give it another");
}

void WorkspaceManager::diskFull(kj::StringPtr vmName) {
  KJ_IF_MAYBE (workspace, registry.present(vmName)) {
    workspace->note(Cause::DISK_FULL, STALL_REASON);
    KJ_IF_MAYBE (machine, workspace->machine()) (*machine)->noteStall();
  }
}

void WorkspaceManager::diskFreed(kj::StringPtr vmName) {
  note(vmName, Cause::DISK_FREED, "the host's disk has room again, and the machine goes on");
}

}  // namespace bothy
