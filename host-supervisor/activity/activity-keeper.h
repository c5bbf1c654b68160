#pragma once

#include <map>
#include <set>
#include <string_view>

#include "activity/activity-store.h"
#include "activity/wakefulness.h"
#include "loop/slots.h"
#include "secret/randomness.h"
#include "wire/waiters.h"

namespace bothy {

// Guests that are asked at a time.
constexpr size_t MOST_GUESTS_ASKED = 256;
// Between two tries of a rule that could not be carried out.
constexpr RetryPauses::Limits RULE_PAUSES{1 * kj::MINUTES, 1 * kj::HOURS};
// That are hibernated by a rule at a time: each writes all its memory to the host's disk.
constexpr size_t MOST_HIBERNATIONS = 4;

// Who uses which workspace, and what becomes of those that nobody uses.  It reads the feed of events, hears of lanes from whoever serves them, and
// looks at a workspace when something of it is due: of one that rests, or that is in use, nothing runs.
class ActivityKeeper final: private kj::TaskSet::ErrorHandler {
public:
  // All outlive it.
  struct Rooms {
    kj::Timer& timer;
    const kj::Clock& clock;
    Randomness& randomness;
    EventLog& events;
    Store& store;
    IdleWorld& world;
  };
  explicit ActivityKeeper(const Rooms& rooms);
  ~ActivityKeeper() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(ActivityKeeper);

  // Once, before anything else: what an earlier bothyd has stored.  No rule is carried out before its clients have had time to come back.
  void enter(kj::Array<ActivityRow> activities, kj::Array<WakeLockRow> locks);

  // Somebody is connected, or about to be, for as long as what is returned lives.
  kj::Own<void> come(kj::StringPtr workspaceId, Visitor who);

  // None: there is no such workspace.
  kj::Promise<kj::Maybe<Wakefulness>> why(kj::StringPtr workspaceId);

  // When a workspace is going to be paused by a rule, where that was announced; 0: it was not.
  int64_t announcedPause(kj::StringPtr workspaceId);

  struct Absent {};
  struct Invalid {
    kj::String why;
  };
  struct TooMany {};
  using TakeOutcome = kj::OneOf<WakeLockRow, Absent, Invalid, TooMany>;
  // Whatever the state is of the workspace: it starts nothing.
  kj::Promise<TakeOutcome> takeLock(kj::StringPtr workspaceId, WakeLockWish wish);
  // Whether the workspace has it.  Who has taken and released which lock is in the log, and in no event: there may be many.
  kj::Promise<bool> releaseLock(kj::StringPtr workspaceId, kj::StringPtr lockId,
                                kj::StringPtr actor);

  // One figure of a workspace; without a value it is as its tier has it.
  struct FigureWish {
    IdleFigure figure;
    kj::Maybe<uint32_t> value;
  };
  using ChangeOutcome = kj::OneOf<Wakefulness, Absent, Invalid>;
  // What has changed is an event, which says that `actor` has asked for it.
  kj::Promise<ChangeOutcome> changePolicy(kj::StringPtr workspaceId, kj::Array<FigureWish> wishes,
                                          kj::StringPtr actor);

  // Workspaces of which something is known, and those of which something is due some day.
  size_t tracked() const { return byId.size(); }
  size_t waiting() const { return schedule.size(); }
  // Looks that were begun.
  uint64_t looks() const { return lookCount; }
  // Nothing is under way but the wait for what comes.
  bool isIdle() { return tasks.isEmpty() && rows.isIdle(); }

private:
  class Presence;
  struct Tracked;
  using Id = std::string_view;  // of what is tracked itself
  using Place = std::pair<kj::TimePoint, Tracked*>;

  Rooms rooms;
  ActivityStore rows;
  std::map<Id, kj::Own<Tracked>> byId;
  std::set<Place> schedule;
  Waiters firstChanged;
  Slots asking{MOST_GUESTS_ASKED};
  Slots hibernating{MOST_HIBERNATIONS};
  uint64_t lookCount = 0;
  bool isWaiting = false;
  kj::Promise<void> timing = nullptr;
  kj::Promise<void> following = nullptr;
  kj::TaskSet tasks;

  kj::TimePoint now() const { return rooms.timer.now(); }
  int64_t wallNow() const { return nanosOf(rooms.clock.now()); }
  int64_t nanosOf(kj::TimePoint time) const;
  static int64_t nanosOf(kj::Date date) { return bothy::nanosOf(date); }
  kj::TimePoint timeOf(int64_t nanos) const;

  kj::Maybe<Tracked&> find(kj::StringPtr id);
  // None: there is no such workspace.
  kj::Maybe<Tracked&> findOrTrack(kj::StringPtr id);
  Tracked& track(kj::StringPtr id, const IdleWorld::Seen& seen);
  void dropIfUnused(Tracked& workspace);
  void forget(Tracked& workspace);

  kj::Promise<void> follow(uint64_t after);
  void hear(const EventRecord& event);
  void left(Tracked& workspace);

  // What is known of it has changed.
  void changed(Tracked& workspace);
  kj::Maybe<kj::TimePoint> nextLook(Tracked& workspace) const;
  void reschedule(Tracked& workspace);
  kj::Promise<void> lookWhenDue();
  kj::Promise<void> look(kj::Own<Tracked> workspace);
  kj::Promise<void> lookAtUse(Tracked& workspace);
  void endLocks(Tracked& workspace);
  // Whether it had that.
  bool dropLock(Tracked& workspace, kj::StringPtr lockId);
  kj::Promise<void> carryOut(Tracked& workspace, const IdleStep& step);
  bool isStillDue(const Tracked& workspace, const IdleStep& step) const;
  void carriedOut(Tracked& workspace, const IdleStep& step, IdleWorld::Done done);
  ActivityRow rowOf(Tracked& workspace) const;
  bool isStored(Tracked& workspace) const;
  void store(Tracked& workspace);
  Wakefulness describe(Tracked& workspace) const;
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
