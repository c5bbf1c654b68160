#pragma once

#include <kj/function.h>

#include <list>

#include "capacity/host-capacity.h"
#include "machine/machine-leases.h"
#include "operation/operation-runner.h"
#include "workspace/workspace-state.h"
#include "workspace/world.h"

namespace bothy {

// What the store has of one workspace, and the events of its changes.
class WorkspaceJournal final: public OperationRunner::Journal {
public:
  struct Rows {
    WorkspaceRow row;
    // There, as long as something may be left of a machine; it is released with the change that has it no more.
    kj::Maybe<MachineRow> machine;
    kj::Maybe<OperationRow> operation;
    Rows clone() const;
  };

  // The rows are in the store.  `changed` is called when isStored() may have another answer.
  WorkspaceJournal(const World& world, MachineLeases& leases, HostCapacity& capacity, Rows rows,
                   kj::Function<void()> changed);
  ~WorkspaceJournal() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(WorkspaceJournal);

  const WorkspaceRow& row() const { return now.row; }
  const kj::Maybe<MachineRow>& machine() const { return now.machine; }
  const kj::Maybe<OperationRow>& operation() const { return now.operation; }
  WorkspaceState state() const { return stateOf(now.row, now.operation); }

  // Whoever has the turn may change the state, and store.
  using Turn = Operation::Hold;
  kj::Promise<Turn> takeTurn();

  // The rows with an operation that begins with `step`, in the place of the one under way, and for whoever asked for that, unless it is
  // askedBy() another; with his request, if it `inherits`.
  Rows beginning(OperationKind kind, kj::StringPtr step, kj::StringPtr parameters = nullptr,
                 bool inherits = false);
  // The rows at rest.  `detail`: why, of FAILED.
  Rows resting(Rest rest, kj::StringPtr detail = nullptr);
  // The rows at rest after an operation of this kind (restAfter()).
  Rows ending(OperationKind kind, Outcome outcome, kj::StringPtr detail = nullptr);
  // What came of the client's request for which the operation under way is, if it is for one.
  kj::Maybe<RequestRecord> answer(RequestOutcome outcome);

  // Takes what `next` takes of the host, until the transition() to it, which follows, has ended; then it counts for what its rows say.
  // Or says what there is too little of, and nothing has changed.  Needs the turn.
  kj::Maybe<Shortage> admit(const Rows& next);

  // What it counts in ends before it.
  void disown() { share.disown(); }

  // Stores `next` and the event of it, after all that has happened before; if that fails nothing has changed.  Needs the turn.  The event says
  // who asked for the operation that begins, or else for the one that ends; `actor` for what is none.
  kj::Promise<void> transition(Rows next, Cause cause, kj::String detail = nullptr,
                               kj::Maybe<RequestRecord> answered = nullptr,
                               kj::String actor = nullptr);
  // The same for what has happened already: a store that refuses does not make it undone.  It shows at once, and is stored in the
  // background, before anything else; where the store refuses these rows (isRowRefused()) the workspace is damaged.  Needs the turn.
  void transitionAnyway(Rows next, Cause cause, kj::StringPtr detail);
  // The same for the end of an operation: it is under way until the store has it, so that nobody is told what a restart would undo.
  // A store that is away is asked again; one that refuses these rows makes it fail, and nothing has changed.  Takes the turn, and gives
  // it to the caller.
  kj::Promise<Turn> settle(kj::Function<Rows()> next, Cause cause, kj::String detail = nullptr,
                           kj::Maybe<RequestRecord> answered = nullptr);
  // Stores what `change` makes of the rows, which changes no state.  With it goes what the store has refused before, with an event if
  // that changes the state.  A store that is away is asked again; one that refuses these rows (isRowRefused()) makes it fail, and nothing
  // has changed.  Who drops the promise takes back nothing that is on its way to the store; what `change` owns lives until it is decided.
  kj::Promise<void> update(kj::Function<void(Rows&)> change);
  // The end of a delete: nothing is stored of it any more.  As settle().
  kj::Promise<Turn> remove(Cause cause);

  const Rows& rows() const { return now; }
  // Nothing that has happened is still to be stored, and the state is what the store has, or had when it was read.
  bool isStored() const;
  bool isRemoved() const { return isGone; }
  // Why the store has not taken the end of the operation under way yet; empty if it has not refused.
  kj::StringPtr lastRefusal() const { return refusal; }

  // An event that changes no state; `actor`: who asked for what it tells of.  A store that is away is asked again; one that refuses it does
  // not get it.
  void append(Cause cause, kj::StringPtr detail, kj::StringPtr actor = nullptr);

  // What is stored cannot be used: it is left as it is.
  void damage(kj::String why);

  kj::Promise<Operation::Hold> enter(kj::StringPtr step) override;
  bool isLasting(const kj::Exception& fault) const override;
  // The workspace is damaged.
  void unsettled(const kj::Exception& fault) override;

private:
  const World& world;
  MachineLeases& leases;
  kj::Function<void()> changed;
  // As clients see it, and as the store has it.
  Rows now, stored;
  // What `now` takes of the host, or what it will take where that is admitted and more.
  HostCapacity::Share share;
  kj::Maybe<Demand> admitted;
  kj::Own<Places> turns = kj::refcounted<Places>(1);
  // What has happened and the store does not have yet, in order.  Without rows: a notice.
  struct Unstored {
    kj::Maybe<Rows> rows;
    EventRecord event;
  };
  std::list<Unstored> unstored;
  kj::Promise<void> storing = nullptr;
  bool isStoring = false;
  kj::Promise<void> updating = nullptr;
  bool isGone = false;
  // The operation of `now` is not under way any more, and the store has it.
  bool isAbandoned = false;
  kj::String refusal;

  // Without what goes with a state that is over.
  Rows tidied(Rows rows) const;
  EventRecord event(Cause cause, kj::StringPtr detail);
  void log(const EventRecord& told);
  void setNow(Rows rows);
  void recount();
  kj::Promise<void> commit(Change change);
  // To be stored before anything else, and as soon as the store takes it.
  void postpone(kj::Maybe<Rows> rows, EventRecord event);
  // Stores what was postponed, but for what the store refuses.  Needs the turn.
  kj::Promise<void> catchUp();
  void giveUp(const Unstored& refused, const kj::Exception& why);
  kj::Promise<void> keepStoring();
  // What `change`, which outlives the promise, makes of the rows.
  kj::Promise<void> store(kj::Function<void(Rows&)>& change);
  kj::Promise<Turn> storeWithin(Turn turn, kj::Function<void(Rows&)>& change);
  kj::Promise<void> removeOnce(Cause cause);
  // The store has them from now on.
  void noteStored(Rows rows);
  // Gives `attempt` the turn until it succeeds, or the store refuses its rows.
  template <typename Func>
  kj::Promise<Turn> untilStored(Func attempt);
};

// The same rows, of whose operation it is known who asked for it.
WorkspaceJournal::Rows askedBy(kj::StringPtr actor, WorkspaceJournal::Rows next);

// The row of an operation that begins now.
OperationRow newOperation(const World& world, kj::StringPtr workspaceId, OperationKind kind,
                          kj::StringPtr step, kj::StringPtr parameters, kj::StringPtr requestId);

}  // namespace bothy
