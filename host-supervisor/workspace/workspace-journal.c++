#include "workspace/workspace-journal.h"

#include <kj/debug.h>

#include <iterator>

#include "loop/failure-of.h"
#include "workspace/row-difference.h"
#include "workspace/steps.h"
#include "workspace/workspace-demand.h"

namespace bothy {
namespace {

// What happens to one workspace while the store refuses everything.  Changes of its state are few and always kept.
constexpr size_t MOST_UNSTORED = 64;

}  // namespace

WorkspaceJournal::Rows WorkspaceJournal::Rows::clone() const {
  return {row.clone(), machine.map([](const MachineRow& m) { return m.clone(); }),
          operation.map([](const OperationRow& o) { return o.clone(); })};
}

WorkspaceJournal::WorkspaceJournal(const World& world, MachineLeases& leases,
                                   HostCapacity& capacity, Rows rows, kj::Function<void()> changed)
    : world(world),
      leases(leases),
      changed(kj::mv(changed)),
      now(kj::mv(rows)),
      stored(now.clone()),
      share(capacity, demandOf(now.row, now.machine, now.operation)) {}

WorkspaceJournal::~WorkspaceJournal() noexcept(false) {}

bool WorkspaceJournal::isStored() const {
  return !isStoring && unstored.empty() && state() == stateOf(stored.row, stored.operation);
}

kj::Promise<WorkspaceJournal::Turn> WorkspaceJournal::takeTurn() {
  return turns->take();
}

// ---------------------------------------------------------------------------------------------
// Changes

EventRecord WorkspaceJournal::event(Cause cause, kj::StringPtr detail) {
  EventRecord result;
  result.timeNanos = nanosOf(world.clock.now());
  result.workspace = kj::str(now.row.name);
  result.workspaceId = kj::str(now.row.id);
  result.cause = cause;
  result.detail = kj::str(detail);
  return result;
}

void WorkspaceJournal::recount() {
  auto demand = isGone ? Demand() : demandOf(now.row, now.machine, now.operation);
  KJ_IF_MAYBE (more, admitted) demand = most(demand, *more);
  share.change(demand);
}

void WorkspaceJournal::setNow(Rows rows) {
  now = kj::mv(rows);
  recount();
}

kj::Maybe<Shortage> WorkspaceJournal::admit(const Rows& next) {
  auto demand = most(share.demand(), demandOf(next.row, next.machine, next.operation));
  KJ_IF_MAYBE (shortage, share.tryChange(demand)) return kj::mv(*shortage);
  admitted = demand;
  return nullptr;
}

void WorkspaceJournal::log(const EventRecord& told) {
  auto &workspace = told.workspace, &id = told.workspaceId;
  auto before = told.before, after = told.after;
  auto cause = told.cause;
  auto &detail = told.detail, &actor = told.actor;
  KJ_LOG(INFO, "state", workspace, id, before, after, cause, detail, actor);
}

kj::Promise<void> WorkspaceJournal::commit(Change change) {
  auto committed = co_await world.store.commit(kj::mv(change));
  world.events.reached(committed.lastEvent);
}

kj::Promise<void> WorkspaceJournal::transition(Rows next, Cause cause, kj::String detail,
                                               kj::Maybe<RequestRecord> answered,
                                               kj::String actor) {
  KJ_DEFER({
    admitted = nullptr;
    recount();
  });
  co_await catchUp();
  auto told = event(cause, detail);
  // What the store has refused before is in this change.
  told.before = now.row.damage.size() == 0 ? state() : stateOf(stored.row, stored.operation);
  told.actor = kj::mv(actor);
  KJ_IF_MAYBE (ends, now.operation) told.actor = kj::str(ends->actor);
  KJ_IF_MAYBE (begins, next.operation) told.actor = kj::str(begins->actor);
  next.row.damage = nullptr;
  told.after = stateOf(next.row, next.operation);
  Change change;
  addDifference(change, stored, next, told.timeNanos);
  KJ_IF_MAYBE (record, answered) change.update(kj::mv(*record));
  change.tell(told.clone());
  co_await commit(kj::mv(change));
  log(told);
  noteStored(next.clone());
  isAbandoned = false;
  setNow(kj::mv(next));
}

void WorkspaceJournal::transitionAnyway(Rows next, Cause cause, kj::StringPtr detail) {
  auto told = event(cause, detail);
  told.before = state();
  told.after = stateOf(next.row, next.operation);
  log(told);
  setNow(next.clone());
  postpone(kj::mv(next), kj::mv(told));
}

template <typename Func>
kj::Promise<WorkspaceJournal::Turn> WorkspaceJournal::untilStored(Func attempt) {
  for (auto pauses = world.pauses();;) {
    kj::Maybe<kj::Exception> failure;
    try {
      auto turn = co_await attempt(co_await turns->take());
      refusal = nullptr;
      co_return kj::mv(turn);
    } catch (...) {
      failure = kj::getCaughtExceptionAsKj();
    }
    auto& fault = KJ_ASSERT_NONNULL(failure);
    if (isRowRefused(fault)) kj::throwFatalException(kj::mv(fault));
    refusal = kj::str(fault.getDescription());
    KJ_LOG(ERROR, "what became of an operation could not be stored yet; trying again", now.row.name,
           now.row.id, refusal);
    co_await pauses.next();
  }
}

kj::Promise<WorkspaceJournal::Turn> WorkspaceJournal::settle(kj::Function<Rows()> next, Cause cause,
                                                             kj::String detail,
                                                             kj::Maybe<RequestRecord> answered) {
  auto attempt = [&](Turn turn) {
    auto stored =
        transition(next(), cause, kj::str(detail),
                   answered.map([](const RequestRecord& record) { return record.clone(); }));
    return stored.then([turn = kj::mv(turn)]() mutable { return kj::mv(turn); });
  };
  co_return co_await untilStored(attempt);
}

kj::Promise<void> WorkspaceJournal::update(kj::Function<void(Rows&)> changeParam) {
  struct Shared final: public kj::Refcounted {
    explicit Shared(kj::Function<void(Rows&)> change) : change(kj::mv(change)) {}
    kj::Function<void(Rows&)> change;
  };
  auto shared = kj::refcounted<Shared>(kj::mv(changeParam));
  auto attempt = [&](Turn turn) {
    return carryOut(storeWithin(kj::mv(turn), shared->change), [&](kj::Promise<void> work) {
      updating = work.attach(kj::addRef(*shared)).eagerlyEvaluate(nullptr);
    });
  };
  co_await untilStored(attempt).ignoreResult();
}

// What tells of nothing, but for what the store has refused before: that is in this change.
kj::Promise<void> WorkspaceJournal::store(kj::Function<void(Rows&)>& change) {
  co_await catchUp();
  auto next = now.clone();
  change(next);
  next.row.damage = nullptr;
  const bool wasAbandoned = isAbandoned;
  if (wasAbandoned) next.operation = nullptr;
  auto told = event(Cause::RECOVERED, next.row.failure);
  told.before = stateOf(stored.row, stored.operation);
  told.after = stateOf(next.row, next.operation);
  Change difference;
  addDifference(difference, stored, next, told.timeNanos);
  if (!told.isNotice()) difference.tell(told.clone());
  co_await commit(kj::mv(difference));
  if (!told.isNotice()) log(told);
  noteStored(next.clone());
  // What unsettled() said meanwhile is not.
  if (isAbandoned && !wasAbandoned) next.row = now.row.clone();
  isAbandoned = isAbandoned && !wasAbandoned;
  setNow(kj::mv(next));
}

kj::Promise<WorkspaceJournal::Turn> WorkspaceJournal::storeWithin(
    Turn turn, kj::Function<void(Rows&)>& change) {
  co_await store(change);
  co_return kj::mv(turn);
}

void WorkspaceJournal::noteStored(Rows rows) {
  if (!haveOneLease(stored, rows)) {
    KJ_IF_MAYBE (machine, stored.machine) leases.release(*machine);
    KJ_IF_MAYBE (machine, rows.machine) leases.hold(*machine);
  }
  stored = kj::mv(rows);
}

kj::Promise<WorkspaceJournal::Turn> WorkspaceJournal::remove(Cause cause) {
  return untilStored([this, cause](Turn turn) {
    return removeOnce(cause).then([turn = kj::mv(turn)]() mutable { return kj::mv(turn); });
  });
}

kj::Promise<void> WorkspaceJournal::removeOnce(Cause cause) {
  co_await catchUp();
  auto told = event(cause, nullptr);
  told.before = told.after = WorkspaceState::DELETING;
  KJ_IF_MAYBE (ends, now.operation) told.actor = kj::str(ends->actor);
  told.gone = true;
  auto nanos = told.timeNanos;
  co_await commit(kj::mv(Change().removeWorkspace(now.row.id, nanos).tell(kj::mv(told))));
  now.machine = nullptr;
  noteStored(now.clone());
  // Also where the store had none.
  leases.lift(now.row.id);
  isGone = true;
  recount();
  unstored.clear();
  KJ_LOG(INFO, "workspace deleted", now.row.name, now.row.id);
}

kj::Promise<Operation::Hold> WorkspaceJournal::enter(kj::StringPtr step) {
  auto turn = co_await turns->take();
  auto& operation = KJ_ASSERT_NONNULL(now.operation, "no operation is under way", now.row.id);
  if (operation.step == step) {
    co_await catchUp();
  } else {
    kj::Function<void(Rows&)> change = [step](Rows& next) {
      KJ_ASSERT_NONNULL(next.operation).step = kj::str(step);
    };
    co_await store(change);
  }
  co_return kj::mv(turn);
}

bool WorkspaceJournal::isLasting(const kj::Exception& fault) const {
  return isRowRefused(fault);
}

void WorkspaceJournal::unsettled(const kj::Exception& fault) {
  if (isGone) return;
  isAbandoned = true;
  damage(kj::str("what became of its operation cannot be stored: ", lineOf(fault)));
}

void WorkspaceJournal::damage(kj::String why) {
  KJ_LOG(ERROR, "a workspace cannot be used, and is left as it is", now.row.id, now.row.name, why);
  now.row.failure = kj::str(why);
  now.row.damage = kj::mv(why);
  now.row.rest = Rest::FAILED;
  recount();
}

// ---------------------------------------------------------------------------------------------
// What waits to be stored

void WorkspaceJournal::postpone(kj::Maybe<Rows> rows, EventRecord event) {
  unstored.push_back({kj::mv(rows), kj::mv(event)});
  if (isStoring) return;
  isStoring = true;
  changed();
  storing = keepStoring().eagerlyEvaluate([this](kj::Exception&& e) {
    KJ_LOG(ERROR, "what happened to a workspace is not stored any more", now.row.name, now.row.id,
           e.getDescription());
  });
}

kj::Promise<void> WorkspaceJournal::catchUp() {
  while (!unstored.empty()) {
    // Others may add to those that wait, and count in them, meanwhile.
    auto first = kj::mv(unstored.front());
    unstored.pop_front();
    Change change;
    first.event.before = stateOf(stored.row, stored.operation);
    KJ_IF_MAYBE (rows, first.rows) {
      addDifference(change, stored, *rows, nanosOf(world.clock.now()));
    } else {
      first.event.after = first.event.before;
    }
    change.tell(first.event.clone());
    auto failure = co_await failureOf([&]() { return commit(kj::mv(change)); });
    KJ_IF_MAYBE (e, failure) {
      if (isRowRefused(*e)) {
        giveUp(first, *e);
        continue;
      }
      unstored.push_front(kj::mv(first));
      kj::throwFatalException(kj::mv(*e));
    }
    KJ_IF_MAYBE (rows, first.rows) noteStored(kj::mv(*rows));
  }
}

void WorkspaceJournal::giveUp(const Unstored& refused, const kj::Exception& why) {
  KJ_LOG(ERROR, "the database refuses what happened to a workspace, which is not stored",
         now.row.name, now.row.id, refused.event.cause, refused.event.detail, why.getDescription());
  if (refused.rows == nullptr || now.row.damage.size() > 0) return;
  damage(kj::str("what happened to it cannot be stored: ", lineOf(why)));
}

kj::Promise<void> WorkspaceJournal::keepStoring() {
  KJ_DEFER({
    isStoring = false;
    changed();
  });
  for (auto pauses = world.pauses();;) {
    // Who has the turn may have taken the last one out, and put it back if the store refuses it.
    auto turn = co_await turns->take();
    if (unstored.empty()) co_return;
    auto failure = co_await failureOf([this]() { return catchUp(); });
    turn = nullptr;
    KJ_IF_MAYBE (e, failure) {
      KJ_LOG(ERROR, "what happened to a workspace could not be stored yet; trying again",
             now.row.name, now.row.id, unstored.size(), e->getDescription());
      co_await pauses.next();
    }
  }
}

void WorkspaceJournal::append(Cause cause, kj::StringPtr detail, kj::StringPtr actor) {
  if (isGone) return;
  for (auto earlier = unstored.rbegin(); earlier != unstored.rend() && earlier->rows == nullptr;
       ++earlier) {
    auto& told = earlier->event;
    if (told.cause != cause || told.detail != detail || told.actor != actor) continue;
    // As the store does it: it is told behind what came meanwhile, for it is what is true now.
    if (told.firstNanos == 0) told.firstNanos = told.timeNanos;
    told.timeNanos = nanosOf(world.clock.now());
    told.count++;
    unstored.splice(unstored.end(), unstored, std::prev(earlier.base()));
    return;
  }
  if (unstored.size() >= MOST_UNSTORED) {
    KJ_LOG(ERROR, "an event is dropped: too many wait to be stored", now.row.name, cause);
    return;
  }
  auto told = event(cause, detail);
  told.actor = kj::str(actor);
  postpone(nullptr, kj::mv(told));
}

}  // namespace bothy
