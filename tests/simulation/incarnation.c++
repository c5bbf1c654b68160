#include "simulation/incarnation.h"

#include <kj/debug.h>

namespace bothy {
namespace {

// Small, so that there are several.
constexpr size_t PAGE = 3;
// Of one workspace.
constexpr uint32_t MOST_SESSIONS = 3;

}  // namespace

Incarnation::Incarnation(SimulatedHost& host, HostAbilities::Accelerator accelerator,
                         HostAbilities::Vsock vsock)
    : host(host),
      store(newGroupCommitStore(host.timer, kj::heap<FaultyBackend>(host, life))),
      keys(host, life),
      volumes(host, life),
      driver(host, life, accelerator, vsock),
      files(host, life),
      images(host),
      clock(host),
      serving(nullptr),
      tasks(*this) {
  host.running.clear();
  host.paused.clear();
  for (auto& entry : host.machines) {
    if (entry.value->phase() == SimulatedMachine::Phase::RUNS &&
        host.storedState(entry.key) == WorkspaceState::RUNNING) {
      host.running.insert(kj::str(entry.key));
    }
    if (entry.value->phase() == SimulatedMachine::Phase::RUNS && entry.value->isPaused() &&
        host.storedState(entry.key) == WorkspaceState::PAUSED) {
      host.paused.insert(kj::str(entry.key));
    }
  }
  host.trace.line("bothyd", "begins");
  fenced = store->untilFenced().eagerlyEvaluate([this](kj::Exception&& e) {
    if (!isFenced(e)) this->host.judge.accuse("the store is lost: ", e.getDescription());
    giveUp(e);
  });
  serving = recover().fork();
}

Incarnation::~Incarnation() noexcept(false) {
  life.end();
  tasks.clear();
  serving = nullptr;
  sessionRegistry = nullptr;
  userWorkspaces = nullptr;
  workspaces = nullptr;
  events = nullptr;
}

void Incarnation::taskFailed(kj::Exception&& exception) {
  if (!life.isOver()) host.judge.accuse("a client's task failed: ", exception.getDescription());
}

void Incarnation::giveUp(const kj::Exception& why) {
  if (life.isOver() || gaveUp) return;
  gaveUp = true;
  host.trace.line("bothyd", "cannot go on: ", why.getDescription());
}

kj::Promise<void> Incarnation::recover() {
  try {
    co_await driver.open();
  } catch (...) {
    giveUp(kj::getCaughtExceptionAsKj());
    co_return;
  }
  co_await recoverWorkspaces();
}

kj::Promise<void> Incarnation::recoverWorkspaces() {
  auto failure = kj::runCatchingExceptions([&]() { boot(); });
  KJ_IF_MAYBE (e, failure) {
    giveUp(*e);
    co_return;
  }
  auto readsRefused = host.fate.struck(Fault::READ_REFUSED);
  auto late = host.timer.afterDelay(RECOVERY_LIMIT).then([this]() {
    host.judge.accuse("bothyd does not serve within ", RECOVERY_LIMIT / kj::SECONDS,
                      " s of its start");
  });
  co_await kj::evalNow([&]() { return workspaces->recover(); })
      .exclusiveJoin(kj::mv(late))
      .catch_([&](kj::Exception&& e) { failure = kj::mv(e); });
  if (life.isOver() || gaveUp) co_return;
  KJ_IF_MAYBE (e, failure) {
    giveUp(*e);
    // A new database where disks cannot be listed may be the wrong one.
    bool isNew = host.store.lastEvent() == 0;
    if (!isNew && host.fate.struck(Fault::READ_REFUSED) == readsRefused) {
      host.judge.accuse("bothyd does not start, though its database can be read: ",
                        e->getDescription());
    }
    co_return;
  }
  sessionRegistry =
      kj::heap<SessionRegistry>(world(), *workspaces, SessionRegistry::Limits{MOST_SESSIONS});
  sessionRegistry->enter(workspaces->takeSessions());
  userWorkspaces = kj::heap<UserWorkspaces>(*workspaces, host.fate);
  recovered = true;
  host.touch();
  host.trace.line("bothyd", "serves ", workspaces->size(), " workspaces");
  examineAdoptions();
}

kj::Array<WorkspaceView> Incarnation::list() {
  kj::Vector<WorkspaceView> all;
  ListQuery query;
  if (workspaces->size() < ListQuery::MAX_PAGE) query.limit = PAGE;
  for (;;) {
    auto page = workspaces->list(query);
    all.addAll(page.workspaces);
    if (page.next.size() == 0) return all.releaseAsArray();
    query.after = page.next;
  }
}

void Incarnation::boot() {
  events = kj::heap<EventLog>(*store);
  WorkspaceManager::Limits limits;
  limits.leases.count = host.uids;
  limits.capacity = host.capacity;
  workspaces = kj::heap<WorkspaceManager>(world(), limits);
}

World Incarnation::world() {
  return {*store, *events,   keys,       volumes, driver,     images,
          files,  host.fate, host.timer, clock,   Deadlines()};
}

// Every machine that still runs, taken over or not, runs for its workspace as before.
void Incarnation::examineAdoptions() {
  for (auto& id : host.running) {
    KJ_IF_MAYBE (machine, host.machines.find(id)) {
      if ((*machine)->phase() != SimulatedMachine::Phase::RUNS) continue;
    } else {
      continue;
    }
    for (auto& workspace : list()) {
      if (workspace.id == id && workspace.state != WorkspaceState::RUNNING) {
        host.judge.accuse("the machine of ", host.label(id),
                          " runs on after a restart, and its workspace is ", workspace.state);
      }
    }
  }
  for (auto& id : host.paused) {
    KJ_IF_MAYBE (machine, host.machines.find(id)) {
      if ((*machine)->phase() != SimulatedMachine::Phase::RUNS) continue;
      for (auto& workspace : list()) {
        if (workspace.id != id) continue;
        if (workspace.state != WorkspaceState::PAUSED || !(*machine)->isPaused()) {
          host.judge.accuse("the machine of ", host.label(id),
                            " was paused before a restart, and its workspace is ", workspace.state);
        }
      }
    }
  }
}

}  // namespace bothy
