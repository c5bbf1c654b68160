#include "workspace/workspace-manager.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"

namespace bothy {

WorkspaceManager::WorkspaceManager(World worldParam, Limits limits)
    : world(worldParam), limits(limits), tasks(*this) {
  world.driver.setEvents(*this);
}

WorkspaceManager::~WorkspaceManager() noexcept(false) {}

void WorkspaceManager::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "a task of the workspace manager failed", exception.getDescription());
}

// ---------------------------------------------------------------------------------------------
// Recovery

kj::Promise<void> WorkspaceManager::recover() {
  kj::Vector<kj::String> ids, machineIds;
  for (auto& row : world.store.workspaces()) {
    if (row.state != WorkspaceState::CREATING) ids.add(kj::str(row.id));
    if (row.secret.size() > 0) machineIds.add(kj::str(row.id));
    auto name = kj::str(row.name);
    lastUid = kj::max(lastUid, row.uid);
    byName.insert(kj::mv(name), kj::refcounted<Workspace>(world, owner(), kj::mv(row)));
  }

  auto pointers = [](kj::Vector<kj::String>& texts) {
    return KJ_MAP(text, texts)->kj::StringPtr {
      return text;
    };
  };
  auto knownIds = pointers(ids), knownMachines = pointers(machineIds);
  for (auto& name : co_await world.driver.removeStrays(knownMachines)) {
    KJ_LOG(WARNING, "removed a machine that belongs to no workspace", name);
  }
  for (auto& id : co_await world.volumes.removeStrays(knownIds)) {
    KJ_LOG(WARNING, "removed a volume that belongs to no workspace", id);
  }
  for (auto& id : world.files.removeStrays(knownIds)) {
    KJ_LOG(INFO, "removed the files of a machine that belongs to no workspace", id);
  }

  kj::Vector<kj::Promise<void>> recoveries;
  for (auto& workspace : list()) {
    auto promise = workspace->recover();
    recoveries.add(promise.attach(kj::mv(workspace)));
  }
  co_await kj::joinPromises(recoveries.releaseAsArray());
}

// ---------------------------------------------------------------------------------------------
// Looking up

kj::Maybe<kj::Own<Workspace>> WorkspaceManager::find(kj::StringPtr name) {
  KJ_IF_MAYBE (workspace, byName.find(name)) {
    return (*workspace)->addRef();
  }
  return nullptr;
}

kj::Maybe<Workspace&> WorkspaceManager::byId(kj::StringPtr id) {
  for (auto& entry : byName) {
    if (entry.value->row().id == id) return *entry.value;
  }
  return nullptr;
}

kj::Array<kj::Own<Workspace>> WorkspaceManager::list() {
  auto result = kj::heapArrayBuilder<kj::Own<Workspace>>(byName.size());
  for (auto& entry : byName) result.add(entry.value->addRef());
  return result.finish();
}

void WorkspaceManager::gone(Workspace& workspace) {
  KJ_IF_MAYBE (held, byName.find(workspace.row().name)) {
    if (held->get() != &workspace) return;
    graves.add(kj::mv(*held));
    byName.erase(workspace.row().name);
    // It is still within a call of its own.
    tasks.add(kj::evalLast([this]() { graves.clear(); }));
  }
}

// ---------------------------------------------------------------------------------------------
// Creating

kj::Maybe<uint32_t> WorkspaceManager::freeUid() {
  // The next after the last one given, so that a user id rests before it is another workspace's.
  uint32_t begin = lastUid < limits.firstUid || lastUid - limits.firstUid >= limits.uidCount
                       ? 0
                       : (lastUid - limits.firstUid + 1) % limits.uidCount;
  kj::HashSet<uint32_t> taken;
  for (auto& entry : byName) taken.upsert(entry.value->row().uid, [](uint32_t&, uint32_t&&) {});
  for (uint32_t i = 0; i < limits.uidCount; i++) {
    uint32_t uid = limits.firstUid + (begin + i) % limits.uidCount;
    if (!taken.contains(uid)) return uid;
  }
  return nullptr;
}

WorkspaceManager::CreateOutcome WorkspaceManager::outcomeOf(kj::Own<Workspace> workspace,
                                                            Workspace::StartOutcome outcome) {
  if (outcome.is<Superseded>()) {
    StartReport::Failure failure{Stage::CREATING_DISK,
                                 kj::str("it was deleted before it was ready"), nullptr};
    return kj::mv(failure);
  }
  auto& report = *outcome.get<kj::Own<StartReport>>();
  KJ_IF_MAYBE (failure, report.failure) {
    if (failure->noSpace) return NoSpace{kj::str(failure->message)};
    // Others may wait for the same report.
    return StartReport::Failure{failure->stage, kj::str(failure->message),
                                kj::str(failure->console)};
  }
  return Created{kj::mv(workspace)};
}

kj::Promise<WorkspaceManager::CreateOutcome> WorkspaceManager::answerAgain(
    const RequestRecord& earlier, kj::StringPtr asked, kj::Maybe<kj::Own<Progress>> progress) {
  if (earlier.asked != asked) co_return RequestConflict();
  auto& found = KJ_REQUIRE_NONNULL(byId(earlier.workspaceId));
  auto workspace = found.addRef();
  switch (workspace->row().state) {
    case WorkspaceState::CREATING:
    case WorkspaceState::STARTING: {
      auto outcome = co_await workspace->join(kj::mv(progress));
      co_return outcomeOf(kj::mv(workspace), kj::mv(outcome));
    }
    case WorkspaceState::FAILED:
      co_return StartReport::Failure{Stage::STARTING_VM, kj::str(workspace->row().failure),
                                     world.files.consoleEnd(workspace->row().id)};
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
  auto asked = kj::str(request.start ? "start " : "make ", canonicalText(request.spec));
  if (request.requestId.size() > 0) {
    KJ_IF_MAYBE (earlier, world.store.request(request.requestId)) {
      co_return co_await answerAgain(*earlier, asked, kj::mv(progress));
    }
  }

  auto checked = check(request.spec, limits.defaults);
  if (checked.is<kj::String>()) co_return Invalid{kj::mv(checked.get<kj::String>())};
  auto& spec = checked.get<CheckedSpec>();
  KJ_IF_MAYBE (existing, find(spec.name.text())) {
    co_return Exists{kj::mv(*existing)};
  }
  if (world.images.find(spec.image) == nullptr) co_return NoSuchImage{kj::mv(spec.image)};

  auto uid = freeUid();
  if (uid == nullptr) {
    co_return NoSpace{kj::str("all ", limits.uidCount,
                              " user ids for machines are taken: delete a workspace, or raise "
                              "uid-count")};
  }

  WorkspaceRow row;
  row.id = kj::str(WorkspaceId::generate(world.randomness).text());
  row.name = kj::str(spec.name.text());
  row.image = kj::mv(spec.image);
  row.cpus = spec.cpus;
  row.memoryMib = spec.memoryMib;
  row.diskMib = spec.diskMib;
  row.uid = KJ_ASSERT_NONNULL(uid);
  row.cid = FIRST_CID + (row.uid - limits.firstUid);
  row.createdNanos = (world.clock.now() - kj::UNIX_EPOCH) / kj::NANOSECONDS;

  EventRecord event;
  event.timeNanos = row.createdNanos;
  event.workspace = kj::str(row.name);
  event.workspaceId = kj::str(row.id);
  kj::Maybe<RequestRecord> remembered;
  if (request.requestId.size() > 0) {
    remembered = RequestRecord{kj::mv(request.requestId), kj::mv(asked), kj::str(row.id)};
  }
  world.store.insert(row, event,
                     remembered.map([](RequestRecord& r) -> const RequestRecord& { return r; }));
  world.events.grew();
  lastUid = row.uid;

  auto name = kj::str(row.name);
  KJ_LOG(INFO, "workspace being made", name, row.id, row.image, row.cpus, row.memoryMib,
         row.diskMib);
  auto workspace = kj::refcounted<Workspace>(world, owner(), kj::mv(row));
  byName.insert(kj::mv(name), workspace->addRef());
  auto outcome = co_await workspace->make(request.start, kj::mv(progress));
  co_return outcomeOf(kj::mv(workspace), kj::mv(outcome));
}

// ---------------------------------------------------------------------------------------------
// Notices of the driver

void WorkspaceManager::noteVsock(kj::StringPtr vmName, Cause cause, kj::StringPtr detail) {
  KJ_IF_MAYBE (workspace, byId(vmName)) {
    workspace->note(cause, detail);
  }
}

void WorkspaceManager::vsockLost(kj::StringPtr vmName) {
  noteVsock(vmName, Cause::VSOCK_LOST, "connections into the machine are broken");
}

void WorkspaceManager::vsockRestored(kj::StringPtr vmName) {
  noteVsock(vmName, Cause::VSOCK_RESTORED, "the machine can be reached again");
}

}  // namespace bothy
