#pragma once

#include <kj/debug.h>
#include <kj/one-of.h>
#include <kj/refcount.h>

#include "wire/waiters.h"
#include "workspace/operations/create-operation.h"
#include "workspace/operations/delete-operation.h"
#include "workspace/operations/hibernate-operation.h"
#include "workspace/operations/pause-operation.h"
#include "workspace/operations/resize-operation.h"
#include "workspace/operations/stop-operation.h"
#include "workspace/setup-follower.h"
#include "workspace/steps.h"
#include "workspace/tier-plan.h"
#include "workspace/workspace-view.h"

namespace bothy {

// For people: why a machine stands still, and what to do.
constexpr kj::StringPtr STALL_REASON =
    "the host's disk is full: the machine stands still until there is room, and then goes on"_kj;

// Something else came before the end of what was waited for: a delete, or the stop of a start.
struct Superseded {
  Wish by;
};
// `kind`: of the operation that came.
Superseded supersededBy(kj::StringPtr kind);

// Something else is under way that excludes it.
struct Busy {
  WorkspaceState state;
};

// It goes on, and its caller has waited long enough.
struct Underway {
  WorkspaceState state;
  // Why its last try failed, one line for people; empty if none did.
  kj::String why;
};

// One workspace: where it rests, and the operation under way, of which the tables of workspace-state.h allow one.  Operations belong
// to it, not to their callers: dropping a promise of start(), stop(), erase() or resize() does not end what began.
class Workspace final: public kj::Refcounted, private SiteListener, private MachineSlot::Owner {
public:
  class Owner {
  public:
    // Told when it does not exist any more; may drop its reference later, not within the call.
    virtual void gone(Workspace& workspace) = 0;
    // Holds what goes on though its caller has left.
    virtual void keep(kj::Promise<void> work) = 0;
    // Whether it is idle may have changed.  Who drops it for that does so later, not within the call.
    virtual void changed(Workspace& workspace) = 0;
    // Nobody holds it any more.  Not of one that is gone.
    virtual void released(Workspace& workspace, const WorkspaceJournal::Rows& rows) = 0;
  };

  // The rows are in the store.
  Workspace(World& world, Owner& owner, MachineLeases& leases, HostCapacity& capacity,
            WorkspaceJournal::Rows rows);
  ~Workspace() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(Workspace);

  const WorkspaceRow& row() const { return journal.row(); }
  const kj::Maybe<MachineRow>& machineRow() const override { return journal.machine(); }
  WorkspaceState state() const { return journal.state(); }
  WorkspaceView view();
  kj::Own<Workspace> addRef() { return kj::addRef(*this); }

  // Nothing goes on in it, and nothing of it is on the host but its disk: what there is to know is in its rows.
  bool isIdle();
  // The owner ends before it.
  void disown() {
    owner = nullptr;
    journal.disown();
  }

  // `Underway`: it has come to its end, and the store has refused for long to keep that.  `Shortage`: the host cannot hold its machine,
  // and it is as it was.
  using StartOutcome = kj::OneOf<kj::Own<StartReport>, Superseded, Busy, Underway, Shortage>;

  // For one that is new: begins the creation that its rows have.  If the disk cannot be made the workspace is gone.
  kj::Promise<StartOutcome> make(kj::Maybe<kj::Own<Progress>> progress);

  // Waits until no change of its state is on its way to the store.
  kj::Promise<void> quiet();
  // Waits for the end of the operation that is under way, if one is, as long as a call may last.
  kj::Promise<kj::Maybe<Underway>> settled();

  // Waits for the creation or start that is under way; `Busy` if there is none.
  kj::Promise<StartOutcome> join(kj::Maybe<kj::Own<Progress>> progress);

  // What each does is said by replyTo().  One that runs has started well; one that is paused is resumed, and one that has expired is made anew.
  // `actor`: who asks, as EventRecord has him.
  kj::Promise<StartOutcome> start(kj::Maybe<kj::Own<Progress>> progress,
                                  kj::StringPtr actor = nullptr);
  using StopOutcome = kj::OneOf<StopKind, Superseded, Busy, Underway>;
  kj::Promise<StopOutcome> stop(uint32_t graceMillis, kj::StringPtr actor = nullptr);
  struct Erased {};
  using EraseOutcome = kj::OneOf<Erased, Underway>;
  kj::Promise<EraseOutcome> erase(kj::StringPtr actor = nullptr);

  struct Resized {};
  struct InvalidSize {
    kj::String why;
  };
  using ResizeFailure = ResizeOperation::Failure;
  using ResizeOutcome =
      kj::OneOf<Resized, InvalidSize, ResizeFailure, Superseded, Busy, Underway, Shortage>;
  // `mostMib`: of its tier.
  kj::Promise<ResizeOutcome> resize(uint32_t diskMib, kj::Maybe<uint32_t> mostMib = nullptr,
                                    kj::StringPtr actor = nullptr);

  struct TierChanged {
    TierPlan plan;
  };
  // `Invalid`: it cannot have that.
  struct InvalidTier {
    kj::String why;
  };
  using TierOutcome = kj::OneOf<TierPlan, TierChanged, InvalidTier, Busy, Shortage>;
  // Plans, or with `APPLY` does, what is to be done to give it this tier in the place of `before`, see planTier().  workspace-tier.c++
  kj::Promise<TierOutcome> changeTier(Tier tier, Tier before, TierWish wish,
                                      kj::StringPtr actor = nullptr);

  // workspace-pause.c++
  struct Paused {};
  struct NotPaused {
    kj::String why;
  };
  using PauseOutcome = kj::OneOf<Paused, NotPaused, Superseded, Busy, Underway>;
  // Because nobody uses it, as long as `isStillDue` says so when it has the turn; else it is `Busy`.
  struct ByRule {
    kj::String detail;
    kj::Function<bool()> isStillDue;
  };
  kj::Promise<PauseOutcome> pause(kj::StringPtr actor = nullptr, kj::Maybe<ByRule> rule = nullptr);
  // workspace-hibernate.c++
  struct Hibernated {};
  struct NotHibernated {
    kj::String why;
    bool noSpace;
  };
  using HibernateOutcome =
      kj::OneOf<Hibernated, NotHibernated, Superseded, Busy, Underway, Shortage>;
  // Also one that is paused.  `Shortage`: the host's disk cannot hold its memory, and it is as it was.
  kj::Promise<HibernateOutcome> hibernate(kj::StringPtr actor = nullptr,
                                          kj::Maybe<ByRule> rule = nullptr);
  // Of one that is paused or hibernated.  A failure is one of the start's first stage, or where the memory is lost the start's that comes in
  // its place.  `Shortage`: see start().
  kj::Promise<StartOutcome> resume(kj::Maybe<kj::Own<Progress>> progress,
                                   kj::StringPtr actor = nullptr);
  // The same, also of one that is just being paused or hibernated: when it is; and, with `makesAnew`, a start of one that has expired.
  kj::Promise<StartOutcome> wake(kj::Maybe<kj::Own<Progress>> progress,
                                 kj::StringPtr actor = nullptr, bool makesAnew = true);
  // Resolves when it is neither paused nor hibernated, nor on its way there or back.  Holds it.
  kj::Promise<void> whenResumed();

  // Destroys its disk and its key, and keeps what it is made of.  workspace-expiry.c++
  struct Expired {};
  // It is damaged: what is on the host of it is left as it is.
  struct NotExpired {
    kj::String why;
  };
  using ExpireOutcome = kj::OneOf<Expired, NotExpired, Superseded, Busy, Underway>;
  kj::Promise<ExpireOutcome> expire(kj::StringPtr actor = nullptr,
                                    kj::Maybe<ByRule> rule = nullptr);
  // The creation that it is in, or whose start is under way: of one that is new, or of one that had expired.
  enum class Making { NONE, FIRST, ANEW };
  Making making() const;

  // The machine, in state RUNNING.
  kj::Maybe<kj::Own<Machine>> machine();
  // The machine in whatever state, as far as bothyd has it; and whether one may run that has been reached before, whether bothyd has it or not.
  kj::Maybe<kj::Own<Machine>> machineAtHand();
  bool mayHaveMachine();
  // Whether that stands still, see STALL_REASON.
  bool isStalled();
  kj::Maybe<WorkspaceView::Activity> activity();
  // In state RUNNING or PAUSED: why bothyd, which was started anew, has not taken its machine over; empty if it has.
  kj::StringPtr unreachable() const { return whyUnreachable; }

  // How what its configuration has of steps goes on.
  SetupFollower& setup() { return setupFollower; }
  // Waits for that as a start does, see SetupFollower::onEnd().
  kj::Promise<void> whenSetUp(kj::Maybe<kj::Own<Progress>> progress);

  // Once, before anything else, for a workspace found in the store.  Returns when its state is one that
  // may be told; what takes longer goes on by itself.
  kj::Promise<void> recover();

  // What the driver tells of its machine, for whoever watches.
  void note(Cause cause, kj::StringPtr detail);
  // The same of what is no fault.
  void tell(Cause cause, kj::StringPtr detail, kj::StringPtr actor = nullptr) {
    journal.append(cause, detail, actor);
  }

private:
  World& world;
  const HostCapacity& capacity;
  kj::Maybe<Owner&> owner;
  WorkspaceJournal journal;
  MachineSlot slot;
  StartProgress progress;
  const Site site;
  OperationRunner runner;
  SetupFollower setupFollower;
  // Of a workspace that rests, and whose machine is being taken over or greeted.
  kj::Promise<void> reaching = nullptr;
  kj::Promise<void> greeting = nullptr;
  kj::String whyUnreachable;
  Waiters stateWaiters;
  // Of a guest that reboots again and again.
  kj::Maybe<RetryPauses> rebootPauses;

  using Turn = WorkspaceJournal::Turn;

  void noteChange();
  // Goes on though the caller drops what it is given.
  template <typename T>
  kj::Promise<T> keepOn(kj::Promise<T> work);
  // Puts the operation, which is the one that is stored, in the place of whatever is under way or rests.  Needs the turn, but of a
  // workspace that is new.
  void begin(kj::Own<Operation> operation);
  // The operation under way, whose kind is that of the state.  Fails if it could not be settled.
  template <typename Kind>
  kj::Own<Kind> underWay() {
    return kj::addRef(kj::downcast<Kind>(KJ_ASSERT_NONNULL(runner.current())));
  }

  // What begins goes on though its caller leaves; who waits for a turn, or for the end of what is under way, ends with his call.
  kj::Promise<Turn> beginStart(Turn turn, kj::String actor);
  kj::Promise<Turn> beginStop(Turn turn, uint32_t graceMillis, kj::String actor);
  kj::Promise<Turn> beginDelete(Turn turn, kj::String actor);
  kj::Promise<Turn> beginResize(Turn turn, uint32_t diskMib, kj::String actor);
  kj::Promise<Turn> beginPause(Turn turn, kj::String actor, kj::Maybe<kj::String> whyIdle);
  kj::Promise<Turn> beginHibernate(Turn turn, kj::String actor, kj::Maybe<kj::String> whyIdle);
  // Of one that is paused or hibernated.
  kj::Promise<Turn> beginResume(Turn turn, kj::String actor);
  kj::Promise<StartOutcome> resumeInTurn(Turn turn, kj::Maybe<kj::Own<Progress>> progress,
                                         kj::String actor);
  kj::Promise<Turn> beginExpiry(Turn turn, kj::String actor, kj::Maybe<kj::String> whyIdle);
  // With which one that has a disk, or none any more, begins to start.
  WorkspaceJournal::Rows starting();

  // What a rule wants is still due; of what somebody else asks it always is.
  static bool isDue(kj::Maybe<ByRule>& rule) {
    return rule.map([](ByRule& by) { return by.isStillDue(); }).orDefault(true);
  }
  static kj::Maybe<kj::String> detailOf(kj::Maybe<ByRule>& rule) {
    return rule.map([](ByRule& by) { return kj::mv(by.detail); });
  }

  // The row of the machine that may run.
  kj::Maybe<const MachineRow&> runningMachine() const;
  // Whether its machine, if one runs, has the limits of the tier now.
  kj::Promise<bool> storeTier(Turn turn, WorkspaceJournal::Rows next, kj::String actor);
  kj::Promise<bool> limitIo();

  // `listening`: of whoever waits for it, as long as he does.
  kj::Promise<StartOutcome> outcomeOf(kj::Own<CreateOperation> creation, kj::Own<void> listening);
  kj::Promise<StartOutcome> outcomeOf(kj::Own<StartOperation> start, kj::Own<void> listening);
  kj::Promise<StartOutcome> outcomeOfResume(kj::Own<void> listening);
  kj::Promise<StartOutcome> outcomeOfWake(kj::Own<void> listening);
  // Whether it has ended so long after the call.
  kj::Promise<kj::Maybe<Operation::End>> endWithin(kj::Duration limit, Operation& operation);
  // Of one that has a deadline: whether it has ended in the time of a call after it was decided what came of it.
  kj::Promise<kj::Maybe<Operation::End>> endOnceDecided(Operation& operation);
  kj::Promise<kj::Maybe<Operation::End>> endBefore(kj::Promise<void> limit, Operation& operation);
  Underway underwayOf(Operation& operation);
  void deleted() override;
  void machineUnreached(kj::StringPtr why) override;

  // Of its machine.  workspace-machine.c++
  kj::Promise<void> removeMachineRow() override;
  VmSpec specToAdopt() override;
  kj::Promise<void> reclaimDisk() override { return world.volumes.reclaim(row().id); }
  kj::Promise<void> ended(VmEnd end) override;
  void happened(Cause cause, kj::StringPtr detail) override;
  void slotChanged() override { noteChange(); }
  // Of one at rest.
  void machineEnded(VmEnd end);
  void reboot();
  kj::Promise<bool> takeOver();
  void noteUnreached(kj::StringPtr why);
  void adoptLater();
  kj::Promise<void> keepAdopting();
  void adopted();
  void machineGone();
  void resumeOperation(const OperationRow& operation);
  kj::Promise<void> recoverUnlessDamaged();
};

template <typename T>
kj::Promise<T> Workspace::keepOn(kj::Promise<T> work) {
  return carryOut(kj::mv(work), [this](kj::Promise<void> rest) {
    KJ_ASSERT_NONNULL(owner).keep(rest.attach(addRef()));
  });
}

}  // namespace bothy
