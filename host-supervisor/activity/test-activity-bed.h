#pragma once

#include <kj/debug.h>

#include <map>
#include <string>

#include "activity/activity-keeper.h"

namespace bothy {

// A database in memory, with rows of use and events alone.
class UseStore final: public Store {
public:
  std::map<std::string, ActivityRow> activities;
  std::map<std::string, WakeLockRow> locks;
  kj::Vector<EventRecord> log;
  uint64_t writes = 0;
  // Writes that are refused from now on.
  uint32_t writesToRefuse = 0;
  // Of workspaces that are there no more.
  std::map<std::string, bool> gone;

  kj::Promise<StoredState> begin() override { return StoredState(); }
  kj::Promise<Committed> commit(Change change) override {
    return kj::evalNow([&]() { return apply(change); });
  }
  kj::Promise<kj::Maybe<RequestRecord>> request(kj::StringPtr) override {
    return kj::Maybe<RequestRecord>();
  }
  kj::Promise<kj::Maybe<kj::Array<const kj::byte>>> configuration(kj::StringPtr) override {
    return kj::Maybe<kj::Array<const kj::byte>>();
  }
  kj::Promise<EventPage> events(uint64_t after, size_t limit) override {
    kj::Vector<EventRecord> found;
    for (auto i = after; i < log.size() && found.size() < limit; i++) found.add(log[i].clone());
    const uint64_t through = after + found.size();
    return EventPage{found.releaseAsArray(), through};
  }
  kj::Promise<void> untilFenced() override { return kj::NEVER_DONE; }

private:
  Committed apply(Change& change) {
    if (writesToRefuse > 0) {
      writesToRefuse--;
      KJ_FAIL_REQUIRE("database is locked");
    }
    ++writes;
    for (auto& step : change.steps) {
      auto& of = step.get<Change::ActivityStep>();
      KJ_SWITCH_ONEOF(of) {
        KJ_CASE_ONEOF(put, Change::PutActivity) {
          std::string id = put.row.workspaceId.cStr();
          if (gone[id]) kj::throwFatalException(rowRefused("no such workspace"));
          activities[id] = put.row.clone();
        }
        KJ_CASE_ONEOF(add, Change::AddWakeLock) {
          locks[add.row.id.cStr()] = add.row.clone();
        }
        KJ_CASE_ONEOF(remove, Change::RemoveWakeLock) {
          if (locks.erase(remove.id.cStr()) == 0) {
            kj::throwFatalException(rowRefused("no such wake lock"));
          }
        }
      }
    }
    for (auto& event : change.events) {
      event.number = log.size() + 1;
      log.add(kj::mv(event));
    }
    return {log.size()};
  }
};

// Workspaces that do what they are told, in virtual time, and the keeper of their use.
class ActivityBed: public IdleWorld {
public:
  struct Workspace {
    WorkspaceState state = WorkspaceState::RUNNING;
    IdlePolicy policy;
    GuestUse guest;
    uint32_t asked = 0;    // its guest
    bool refuses = false;  // what rules want
    // A refusal of that comes after it was begun.
    bool refusesLate = false;
    // Since when it is paused or hibernated.
    int64_t sinceNanos = 0;
    kj::Vector<kj::TimePoint> pauses;
    kj::Vector<kj::TimePoint> hibernations;
    kj::Vector<kj::TimePoint> expiries;
    kj::Vector<kj::TimePoint> warnings;
    uint32_t tries = 0;
  };
  struct Clock final: public kj::Clock {
    explicit Clock(kj::Timer& timer) : timer(timer) {}
    kj::Timer& timer;
    kj::Duration offset = 1000 * kj::DAYS;
    kj::Date now() const override {
      return kj::UNIX_EPOCH + offset + (timer.now() - kj::origin<kj::TimePoint>());
    }
  };
  struct Counting final: public Randomness {
    uint32_t state = 1;
    void fill(kj::ArrayPtr<kj::byte> bytes) override {
      for (auto& byte : bytes) byte = (state = state * 1664525 + 1013904223) >> 24;
    }
  };

  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>() + 1 * kj::DAYS};
  Clock clock{timer};
  Counting randomness;
  UseStore store;
  EventLog log{store};
  std::map<std::string, Workspace> workspaces;
  kj::Own<ActivityKeeper> keeper;

  ActivityBed() { restart(); }

  // As after a kill: who was connected is so no more, for the keeper.
  void restart() {
    keeper = nullptr;
    keeper = kj::heap<ActivityKeeper>(
        ActivityKeeper::Rooms{timer, clock, randomness, log, store, *this});
    kj::Vector<ActivityRow> rows;
    for (auto& entry : store.activities) rows.add(entry.second.clone());
    kj::Vector<WakeLockRow> locks;
    for (auto& entry : store.locks) locks.add(entry.second.clone());
    log.reached(store.log.size());
    keeper->enter(rows.releaseAsArray(), locks.releaseAsArray());
    scope.poll();
  }

  // What is due meanwhile is done when it is due.
  void pass(kj::Duration time) { passUntil(timer.now() + time); }
  void passUntil(kj::TimePoint end) {
    scope.poll();
    for (;;) {
      auto next = timer.nextEvent().orDefault(end);
      timer.advanceTo(kj::max(timer.now(), kj::min(next, end)));
      scope.poll();
      if (timer.now() >= end) return;
    }
  }

  Workspace& at(kj::StringPtr id) { return workspaces.at(id.cStr()); }
  // One that runs from now on.
  Workspace& begin(kj::StringPtr id, IdlePolicy policy = {}) {
    auto& workspace = workspaces[id.cStr()];
    workspace.policy = policy;
    workspace.state = WorkspaceState::STARTING;
    move(id, WorkspaceState::RUNNING, Cause::REQUEST);
    return workspace;
  }
  void move(kj::StringPtr id, WorkspaceState next, Cause cause, kj::StringPtr detail = nullptr) {
    auto& workspace = at(id);
    EventRecord event;
    event.workspace = kj::str(id);
    event.workspaceId = kj::str(id);
    event.before = workspace.state;
    event.after = next;
    event.cause = cause;
    event.detail = kj::str(detail);
    if (next != workspace.state) enter(workspace, next);
    Change change;
    change.tell(kj::mv(event));
    log.reached(store.commit(kj::mv(change)).wait(scope).lastEvent);
    scope.poll();
  }
  // Gives it another tier.
  void changeTier(kj::StringPtr id, IdlePolicy policy) {
    at(id).policy = policy;
    move(id, at(id).state, Cause::REQUEST);
  }
  // Gives it these figures of its own, and no others.
  void changeOwn(kj::StringPtr id, const IdleOverrides& own) {
    kj::Vector<ActivityKeeper::FigureWish> wishes;
    for (size_t i = 0; i < IDLE_FIGURES; i++) {
      wishes.add(ActivityKeeper::FigureWish{static_cast<IdleFigure>(i), own.figures[i]});
    }
    auto outcome = keeper->changePolicy(id, wishes.releaseAsArray(), "uid 0").wait(scope);
    KJ_ASSERT(outcome.is<Wakefulness>());
  }
  kj::Own<void> come(kj::StringPtr id, kj::StringPtr session = "session 1") {
    return keeper->come(id, Visitor{kj::str(session), kj::str("alice")});
  }
  WakeLockRow lock(kj::StringPtr id, kj::Duration time) {
    auto outcome = keeper
                       ->takeLock(id, {static_cast<uint64_t>(time / kj::MILLISECONDS),
                                       kj::str("build"), kj::str("uid 0")})
                       .wait(scope);
    return kj::mv(outcome.get<WakeLockRow>());
  }
  Wakefulness why(kj::StringPtr id) { return KJ_ASSERT_NONNULL(keeper->why(id).wait(scope)); }
  int64_t nanos(kj::TimePoint time) {
    return nanosOf(clock.now()) + (time - timer.now()) / kj::NANOSECONDS;
  }

  kj::Maybe<Seen> see(kj::StringPtr id) override {
    auto found = workspaces.find(id.cStr());
    if (found == workspaces.end()) return nullptr;
    return Seen{found->second.state, found->second.policy, found->second.sinceNanos};
  }
  void forEachIn(WorkspaceState state, kj::FunctionParam<void(kj::StringPtr id)> act) override {
    for (auto& entry : workspaces) {
      if (entry.second.state == state) act(entry.first.c_str());
    }
  }
  kj::Promise<GuestUse> askGuest(kj::StringPtr id) override {
    auto& workspace = at(id);
    ++workspace.asked;
    return workspace.guest.clone();
  }
  void tell(kj::StringPtr id, Cause cause, kj::StringPtr detail, kj::StringPtr actor) override {
    if (cause == Cause::REQUEST) {
      changes.add(kj::str(detail, " by ", actor));
      return;
    }
    KJ_ASSERT(cause == Cause::IDLE_WARNING && actor.size() == 0);
    at(id).warnings.add(timer.now());
    lastWarning = kj::str(detail);
  }
  kj::Promise<Done> carryOut(IdleRule rule, kj::StringPtr id, kj::String detail,
                             kj::Function<bool()> isStillDue) override {
    auto& step = stepOf(rule);
    auto& workspace = at(id);
    underWay++;
    KJ_DEFER(underWay--);
    mostUnderWay = kj::max(mostUnderWay, underWay);
    // As a workspace that has its turn after others.
    co_await kj::evalLater([]() {});
    beforeAct();
    if (workspace.state != step.from) {
      lateOrders++;
      co_return Done{Done::NO, kj::str("late")};
    }
    if (!isStillDue()) co_return Done{Done::NOT_DUE};
    workspace.tries++;
    if (workspace.refuses) {
      if (workspace.refusesLate) {
        note(id, step.meanwhile);
        if (takes > 0 * kj::SECONDS) co_await timer.afterDelay(takes);
        note(id, step.from);
      }
      co_return Done{Done::NO, kj::str("the disk is full")};
    }
    if (takes > 0 * kj::SECONDS) co_await timer.afterDelay(takes);
    lastAct = kj::str(detail);
    actsOf(workspace, rule).add(timer.now());
    onAct(id, rule);
    note(id, step.meanwhile);
    note(id, step.to);
    co_return Done{Done::YES};
  }
  static kj::Vector<kj::TimePoint>& actsOf(Workspace& workspace, IdleRule rule) {
    switch (rule) {
      case IdleRule::PAUSE:
        return workspace.pauses;
      case IdleRule::HIBERNATE:
        return workspace.hibernations;
      case IdleRule::EXPIRE:
        return workspace.expiries;
    }
    KJ_UNREACHABLE;
  }
  kj::String lastWarning, lastAct;
  // Of figures of workspaces, and who asked for them.
  kj::Vector<kj::String> changes;
  kj::Function<void()> beforeAct = []() {};
  kj::Function<void(kj::StringPtr id, IdleRule rule)> onAct = [](kj::StringPtr, IdleRule) {};
  // Of what a rule does, once it is begun.
  kj::Duration takes = 0 * kj::SECONDS;
  uint32_t underWay = 0, mostUnderWay = 0;
  // Of the events of what a rule does.
  kj::Duration feedDelay = 0 * kj::SECONDS;
  // To do what a rule does not begin with.
  uint32_t lateOrders = 0;

private:
  kj::Vector<kj::Promise<void>> late;

  void enter(Workspace& workspace, WorkspaceState next) {
    workspace.state = next;
    const bool isHalted = next == WorkspaceState::PAUSED || next == WorkspaceState::HIBERNATED;
    workspace.sinceNanos = isHalted ? nanosOf(clock.now()) : 0;
  }
  void note(kj::StringPtr id, WorkspaceState next) {
    auto& workspace = at(id);
    EventRecord event;
    event.workspace = kj::str(id);
    event.workspaceId = kj::str(id);
    event.before = workspace.state;
    event.after = next;
    // One that comes to nothing is as long where it is as before.
    const auto since = workspace.sinceNanos;
    enter(workspace, next);
    if (workspace.refuses && workspace.refusesLate) workspace.sinceNanos = since;
    event.timeNanos = nanosOf(clock.now());
    event.cause = Cause::IDLE;
    event.number = store.log.size() + 1;
    store.log.add(kj::mv(event));
    if (feedDelay == 0 * kj::SECONDS) {
      log.reached(store.log.size());
      return;
    }
    late.add(timer.afterDelay(feedDelay)
                 .then([this, newest = store.log.size()]() { log.reached(newest); })
                 .eagerlyEvaluate(nullptr));
  }
};

}  // namespace bothy
