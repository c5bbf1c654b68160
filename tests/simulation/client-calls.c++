// What each call of a client is held to.

#include <string.h>

#include <kj/debug.h>

#include "machine/console-end.h"
#include "simulation/clients.h"

namespace bothy {
namespace {

constexpr uint32_t GRACES_MILLIS[] = {0, 1000, 30000};
// The sum of the deadlines of a start's steps (Deadlines), of the pause of a guest that reboots again and again, and some.
constexpr kj::Duration START_LIMIT = 520 * kj::SECONDS;

// Stages come in their order.
class Watcher final: public Progress {
public:
  explicit Watcher(Judge& judge) : judge(judge) {}
  void stage(Stage stage, kj::Duration, size_t) override {
    // It waits for its turn before or within its start.
    if (stage == Stage::WAITING) return;
    // In the place of a start; which follows where the memory is lost.
    const Stage place = stage == Stage::RESUMING ? Stage::STARTING_VM : stage;
    if (place < last) judge.accuse("a start goes back to an earlier stage");
    last = place;
  }
  void setUp(const SetupStage&, kj::Duration) override { last = Stage::SETTING_UP; }

private:
  Judge& judge;
  Stage last = Stage::CREATING_DISK;
};

kj::StringPtr nameOf(StopKind kind) {
  switch (kind) {
    case StopKind::ORDERLY:
      return "stopped in order";
    case StopKind::FORCED:
      return "stopped by force";
    case StopKind::ALREADY:
      return "it does not run";
  }
  KJ_UNREACHABLE;
}

}  // namespace

void Clients::examine(kj::StringPtr who, const StartReport::Failure& failure) {
  host.trace.line(who, "is told: failed, ", failure.message);
  if (failure.message.size() == 0) host.judge.accuse("a start fails without a reason");
  if (strstr(failure.message.cStr(), "expected ") != nullptr) {
    host.judge.accuse("a start fails by a fault of bothyd's own: ", failure.message);
  }
  if (failure.console.size() > CONSOLE_END_BYTES) host.judge.accuse("a console is too long");
}

void Clients::examine(kj::StringPtr who, const Underway& underway) {
  host.trace.line(who, "is told: it goes on, ", underway.state, ", ", underway.why);
}

// It holds nothing up for no reason, and says which.
void Clients::examine(kj::StringPtr who, const Shortage& shortage) {
  host.trace.line(who, "is told: ", shortage.why);
  if (shortage.asked <= shortage.free) {
    host.judge.accuse("what fits is refused: ", shortage.why);
  }
}

void Clients::examineCreated(const Ledger::Ask& ask, const WorkspaceRow& row) {
  if (row.name != ask.name) {
    host.judge.accuse("who asked for ", ask.name, " gets ", row.name);
  }
  auto& facts = ledger.of(row);
  if (facts.deleted) host.judge.accuse("who asked for ", ask.name, " gets what was deleted");
  if (ask.requestId.size() > 0) {
    KJ_IF_MAYBE (id, ledger.madeFor(ask.requestId)) {
      KJ_IF_MAYBE (before, ledger.all().find(*id)) {
        if (*id != row.id && !before->deleteAsked) {
          host.judge.accuse("request id ", ask.requestId, " was ", host.label(*id), " and is ",
                            host.label(row.id));
        }
      }
    }
    ledger.remember(ask.requestId, row.id);
  }
  ledger.created(row);
}

kj::Promise<void> Clients::create(kj::String who, Ledger::Ask ask) {
  host.trace.line(who, "create ", ask.name, ", ", ask.diskMib, " MiB, request '", ask.requestId,
                  ask.start ? "', start" : "'");
  if (ask.requestId.size() > 0) ledger.asks.add(ask.clone());
  auto deletesBefore = ledger.deletesAsked(ask.name);
  auto imagesBefore = host.fate.struck(Fault::IMAGE_GONE);
  WorkspaceManager::CreateRequest request;
  request.spec.name = kj::str(ask.name);
  request.spec.diskMib = ask.diskMib;
  request.spec.configuration = configurationFor(ask);
  request.requestId = kj::str(ask.requestId);
  request.start = ask.start;
  request.actor = kj::str(who);
  auto outcome = co_await bothyd.manager().create(kj::mv(request),
                                                  kj::Own<Progress>(kj::heap<Watcher>(host.judge)));
  if (!isHeard()) co_return;
  KJ_SWITCH_ONEOF(outcome) {
    KJ_CASE_ONEOF(created, WorkspaceManager::Created) {
      host.trace.line(who, "is told: created ", host.label(created.workspace->row().id));
      examineCreated(ask, created.workspace->row());
      if (ask.start && !host.store.hasRun(created.workspace->row().id)) {
        host.judge.accuse("who asked for a running ", ask.name, " is told so, and it never ran");
      }
    }
    KJ_CASE_ONEOF(exists, WorkspaceManager::Exists) {
      host.trace.line(who, "is told: it exists");
      if (exists.workspace->row().name != ask.name) host.judge.accuse("another one exists");
    }
    KJ_CASE_ONEOF(invalid, WorkspaceManager::Invalid) {
      host.judge.accuse("a good request is refused: ", invalid.why);
    }
    KJ_CASE_ONEOF(image, WorkspaceManager::NoSuchImage) {
      host.trace.line(who, "is told: no such image");
      if (host.fate.struck(Fault::IMAGE_GONE) == imagesBefore) {
        host.judge.accuse("an image that is there is not found: ", image.name);
      }
    }
    KJ_CASE_ONEOF(conflict, WorkspaceManager::RequestConflict) {
      host.trace.line(who, "is told: request conflict");
      if (ledger.isUnambiguous(ask.requestId)) {
        host.judge.accuse("request id ", ask.requestId, " was repeated word for word, and refused");
      }
    }
    KJ_CASE_ONEOF(failure, StartReport::Failure) {
      examine(who, failure);
      if (failure.stage == Stage::CREATING_DISK) co_return;
      // It exists, then.
      KJ_IF_MAYBE (workspace, bothyd.manager().find(ask.name)) {
        ledger.created((*workspace)->row());
      } else if (ledger.deletesAsked(ask.name) == deletesBefore) {
        host.judge.accuse("workspace ", ask.name, " did not start, and is gone");
      }
    }
    KJ_CASE_ONEOF(stopped, WorkspaceManager::Stopped) {
      host.trace.line(who, "is told: stopped before it ran");
      examineCreated(ask, stopped.workspace->row());
    }
    KJ_CASE_ONEOF(noSpace, WorkspaceManager::NoSpace) {
      host.trace.line(who, "is told: no space, ", noSpace.why);
    }
    KJ_CASE_ONEOF(underway, Underway) {
      examine(who, underway);
    }
    KJ_CASE_ONEOF(shortage, Shortage) {
      examine(who, shortage);
    }
  }
}

kj::Promise<void> Clients::start(kj::String who, kj::String name) {
  auto found = bothyd.manager().find(name);
  if (found == nullptr) co_return;
  auto& workspace = *KJ_ASSERT_NONNULL(found);
  auto reply = replyTo(Wish::START, workspace.state());
  if (reply == Reply::BUSY || reply == Reply::ALREADY) co_return;
  auto label = host.label(workspace.row().id);
  host.trace.line(who, "start ", label);
  auto& facts = ledger.of(workspace.row());
  const bool wasOff = facts.isOff;
  facts.isOff = false;
  auto asked = ++facts.startsAsked;
  auto stopsBefore = facts.stopsAsked;
  auto begin = host.timer.now();
  auto outcome = co_await workspace.start(kj::Own<Progress>(kj::heap<Watcher>(host.judge)), who);
  if (!isHeard()) co_return;
  if (host.timer.now() - begin > START_LIMIT) {
    host.judge.accuse("the start of ", label, " took ", (host.timer.now() - begin) / kj::SECONDS,
                      " s");
  }
  if (outcome.is<Superseded>()) {
    host.trace.line(who, "is told: superseded");
    auto& told = ledger.of(workspace.row());
    if (told.stopsAsked == stopsBefore && !told.deleteAsked) {
      host.judge.accuse("the start of ", label, " is given up, and nobody asked for that");
    }
    co_return;
  }
  if (outcome.is<Busy>()) {
    host.trace.line(who, "is told: busy");
    co_return;
  }
  KJ_IF_MAYBE (underway, outcome.tryGet<Underway>()) {
    examine(who, *underway);
    co_return;
  }
  KJ_IF_MAYBE (shortage, outcome.tryGet<Shortage>()) {
    examine(who, *shortage);
    // It is as it was.
    auto& now = ledger.of(workspace.row());
    if (now.startsAsked == asked) now.isOff = wasOff;
    co_return;
  }
  KJ_IF_MAYBE (failure, outcome.get<kj::Own<StartReport>>()->failure) {
    ++ledger.notStarted;
    examine(who, *failure);
    co_return;
  }
  ++ledger.started;
  host.trace.line(who, "is told: started ", label);
  auto& now = ledger.of(workspace.row());
  bool untouched = now.startsAsked == asked && !now.deleteAsked;
  if (untouched && host.isInUse(workspace.row().id) &&
      host.storedState(workspace.row().id) == WorkspaceState::STARTING) {
    host.judge.accuse("a client is told that ", label, " runs before it is stored");
  }
}

bool Clients::hasRunSince(kj::StringPtr id, uint64_t event) {
  for (auto& later : host.store.events(event, kj::maxValue).events) {
    if (later.workspaceId == id && later.after == WorkspaceState::RUNNING) return true;
  }
  return false;
}

kj::Promise<void> Clients::stop(kj::String who, kj::String name) {
  auto found = bothyd.manager().find(name);
  if (found == nullptr) co_return;
  auto& workspace = *KJ_ASSERT_NONNULL(found);
  if (replyTo(Wish::STOP, workspace.state()) == Reply::BUSY) co_return;
  host.trace.line(who, "stop ", host.label(workspace.row().id));
  auto startsBefore = ledger.of(workspace.row()).startsAsked;
  ledger.of(workspace.row()).stopsAsked++;
  // Also as the store has it: that it runs may be on its way.
  bool boots = workspace.state() == WorkspaceState::STARTING &&
               host.storedState(workspace.row().id) == WorkspaceState::STARTING;
  auto eventsBefore = host.store.lastEvent();
  auto grace = GRACES_MILLIS[host.fate.below(kj::size(GRACES_MILLIS))];
  auto outcome = co_await workspace.stop(grace, who);
  if (!isHeard()) co_return;
  if (outcome.is<Superseded>() || outcome.is<Busy>()) {
    host.trace.line(who, "is told: superseded, or busy");
    co_return;
  }
  KJ_IF_MAYBE (underway, outcome.tryGet<Underway>()) {
    examine(who, *underway);
    co_return;
  }
  auto kind = outcome.get<StopKind>();
  host.trace.line(who, "is told: ", nameOf(kind), ", ", host.label(workspace.row().id));
  auto& facts = ledger.of(workspace.row());
  if (boots && kind == StopKind::ORDERLY && !hasRunSince(workspace.row().id, eventsBefore)) {
    host.judge.accuse("a machine that boots is said to have turned itself off");
  }
  if (facts.startsAsked != startsBefore) co_return;
  // Of a start that failed before the stop could begin.
  boots = boots && workspace.state() != WorkspaceState::FAILED;
  if (kind == StopKind::ALREADY && !boots) co_return;
  // Who waits for its end to start it again does so at once.
  if (workspace.row().user.size() > 0 && ledger.ensuring > 0) co_return;
  facts.isOff = true;
  if (host.machinery.lives(workspace.row().id)) {
    host.judge.accuse("the stop of ", host.label(workspace.row().id),
                      " is acknowledged, and its machine is on the host");
  }
}

void Clients::examineGone(kj::StringPtr id) {
  auto left = host.store.row(id) != nullptr          ? "row"_kj
              : host.volumes.find(id) != nullptr     ? "disk"_kj
              : host.keys.find(id) != nullptr        ? "key"_kj
              : host.machinery.lives(id)             ? "machine"_kj
              : host.consoles.find(id) != nullptr    ? "console"_kj
              : host.runtimeDirs.find(id) != nullptr ? "runtime directory"_kj
                                                     : nullptr;
  if (left != nullptr) {
    host.judge.accuse("the delete of ", host.label(id), " is acknowledged, and its ", left,
                      " is on the host");
  }
}

kj::Promise<void> Clients::erase(kj::String who, kj::String name) {
  auto found = bothyd.manager().find(name);
  if (found == nullptr) co_return;
  auto& workspace = *KJ_ASSERT_NONNULL(found);
  auto id = kj::str(workspace.row().id);
  host.trace.line(who, "delete ", host.label(id), ", ", workspace.state());
  ledger.deleteAsked(workspace.row());
  auto outcome = co_await workspace.erase(who);
  if (!isHeard()) co_return;
  KJ_IF_MAYBE (underway, outcome.tryGet<Underway>()) {
    examine(who, *underway);
    co_return;
  }
  host.trace.line(who, "is told: deleted ", host.label(id));
  ledger.of(workspace.row()).deleted = true;
  examineGone(id);
}

kj::Promise<void> Clients::ping(kj::String who, kj::String name) {
  auto found = bothyd.manager().find(name);
  if (found == nullptr) co_return;
  auto running = KJ_ASSERT_NONNULL(found)->machine();
  if (running == nullptr) co_return;
  auto label = host.label(KJ_ASSERT_NONNULL(found)->row().id);
  auto& machine = *KJ_ASSERT_NONNULL(running);
  kj::Maybe<kj::Exception> failure;
  co_await machine.control()
      .then(
          [](rpc::AgentControl::Client agent) { return agent.pingRequest().send().ignoreResult(); })
      .catch_([&](kj::Exception&& e) { failure = kj::mv(e); });
  if (!isHeard()) co_return;
  KJ_IF_MAYBE (e, failure) {
    // A guest may do as it likes.
    host.trace.line(who, "ping of ", label, ": ", e->getDescription());
  } else {
    host.trace.line(who, "ping of ", label, ": answered");
  }
}

void Clients::list(kj::StringPtr who) {
  auto workspaces = bothyd.list();
  host.trace.line(who, "list: ", workspaces.size());
  for (size_t i = 1; i < workspaces.size(); i++) {
    if (!(workspaces[i - 1].name < workspaces[i].name)) {
      host.judge.accuse("the list is not by name, or has a workspace twice");
    }
  }
}

}  // namespace bothy
