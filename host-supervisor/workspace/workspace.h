#pragma once

#include <kj/function.h>
#include <kj/one-of.h>
#include <kj/refcount.h>
#include <kj/time.h>
#include <kj/timer.h>
#include <kj/vector.h>

#include <list>

#include "keys/key-keeper.h"
#include "store/store.h"
#include "volume/volume-store.h"
#include "wire/places.h"
#include "workspace/event-log.h"
#include "workspace/image-catalog.h"
#include "workspace/machine.h"
#include "workspace/randomness.h"
#include "workspace/start-fault.h"
#include "workspace/workspace-files.h"
#include "workspace/workspace-state.h"

namespace bothy {

// How long each step may take before it has failed.
struct Deadlines {
  // Each step with a disk or a key.
  kj::Duration disk = 60 * kj::SECONDS;
  // The start of a machine from its beginning, and its wait while others start first.
  kj::Duration startVm = 60 * kj::SECONDS;
  kj::Duration turn = 30 * kj::MINUTES;
  // From a machine that runs to its agent's answer; half of it to the first byte on its console.
  kj::Duration agentReadyKvm = 30 * kj::SECONDS;
  kj::Duration agentReadyTcg = 120 * kj::SECONDS;
  // Beyond the grace that processes got: for sync, unmount and power-off.
  kj::Duration powerOffMargin = 15 * kj::SECONDS;
  kj::Duration destroyVm = 60 * kj::SECONDS;
  // Between two tries of something that must succeed in the end (a delete).
  kj::Duration leastRetry = 1 * kj::SECONDS;
  kj::Duration mostRetry = 60 * kj::SECONDS;
  // A guest that ran for so long may reboot at once; one that did not waits, longer each time.
  kj::Duration steady = 60 * kj::SECONDS;
};

// The world, as the logic of workspaces sees it: all that it reads and does passes here.
struct World {
  Store& store;
  EventLog& events;
  KeyKeeper& keys;
  VolumeStore& volumes;
  VmDriver& driver;
  ImageCatalog& images;
  WorkspaceFiles& files;
  Randomness& randomness;
  kj::Timer& timer;
  const kj::Clock& clock;
  Deadlines deadlines;
};

// The way to a running workspace, in order; but for WAITING, which comes within STARTING_VM while others start first, and
// after which that comes again.
enum class Stage { CREATING_DISK, STARTING_VM, BOOTING, AGENT_READY, WAITING };

// Told of stages while somebody waits for a start.
class Progress {
public:
  // `before`: how many others start first; of WAITING, which is told of again as that changes.
  virtual void stage(Stage stage, kj::Duration elapsed, size_t before) = 0;
};

// How a start ended.
struct StartReport final: public kj::Refcounted {
  struct Failure {
    Stage stage;
    StartFault fault;
    kj::String message;
    kj::String console;
    // The host's disk could not hold it: nothing was made.
    bool noSpace = false;
  };
  kj::Maybe<Failure> failure;

  kj::Own<StartReport> addRef() { return kj::addRef(*this); }
};

// For people: why a machine stands still, and what to do.
constexpr kj::StringPtr STALL_REASON =
    "the host's disk is full: the machine stands still until there is room, and then goes on"_kj;

enum class StopKind { ORDERLY, FORCED, ALREADY };

// Something else came before the end of what was waited for: a delete, or the stop of a start.
struct Superseded {
  Wish by;
};

// Something else is under way that excludes it.
struct Busy {
  WorkspaceState state;
};

class RetryPauses;

// One workspace: carries out what the tables of workspace-state.h allow.  Operations belong to it, not
// to their callers: dropping a promise of start(), stop() or erase() does not end what began.
class Workspace final: public kj::Refcounted {
public:
  class Owner {
  public:
    // Told when it does not exist any more; may drop its reference later, not within the call.
    virtual void gone(Workspace& workspace) = 0;
    // Holds what goes on though its caller has left.
    virtual void keep(kj::Promise<void> work) = 0;
  };

  // Both rows are in the store.
  Workspace(World& world, Owner& owner, WorkspaceRow row, MachineRow machine);
  ~Workspace() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(Workspace);

  const WorkspaceRow& row() const { return record; }
  const MachineRow& machineRow() const { return machineRecord; }
  kj::Own<Workspace> addRef() { return kj::addRef(*this); }

  using StartOutcome = kj::OneOf<kj::Own<StartReport>, Superseded, Busy>;

  // For a workspace in state CREATING: makes its disk and, if `thenStart`, starts it.  If the disk cannot
  // be made the workspace is gone.
  kj::Promise<StartOutcome> make(bool thenStart, kj::Maybe<kj::Own<Progress>> progress);

  // Waits until no change of its state is on its way to the store.
  kj::Promise<void> quiet();

  // Waits for the make or start that is under way; `Busy` if there is none.
  kj::Promise<StartOutcome> join(kj::Maybe<kj::Own<Progress>> progress);

  // What each does is said by replyTo().  One that runs has started well.
  kj::Promise<StartOutcome> start(kj::Maybe<kj::Own<Progress>> progress);
  using StopOutcome = kj::OneOf<StopKind, Superseded, Busy>;
  kj::Promise<StopOutcome> stop(uint32_t graceMillis);
  kj::Promise<void> erase();

  struct Resized {};
  struct InvalidSize {
    kj::String why;
  };
  struct ResizeFailure {
    kj::String why;
    // The host's disk could not hold it.
    bool noSpace;
  };
  using ResizeOutcome = kj::OneOf<Resized, InvalidSize, ResizeFailure, Superseded, Busy>;
  kj::Promise<ResizeOutcome> resize(uint32_t diskMib);

  // The machine, in state RUNNING.
  kj::Maybe<kj::Own<Machine>> machine();
  // Whether that stands still, see STALL_REASON.
  bool isStalled();
  // In state RUNNING: why bothyd, which was started anew, has not taken its machine over; empty if it has.
  kj::StringPtr unreachable() const { return whyUnreachable; }

  // Once, before anything else, for a workspace found in the store.  Returns when its state is one that
  // may be told; what takes longer goes on by itself.
  kj::Promise<void> recover();

  // What the driver tells of its machine, for whoever watches.
  void note(Cause cause, kj::StringPtr detail);

private:
  World& world;
  Owner& owner;
  WorkspaceRow record;
  MachineRow machineRecord;
  // What is in `machineRecord` and not in the store.
  bool isMachineUnstored = false;
  kj::Maybe<kj::Own<Machine>> current;

  struct ResizeReport final: public kj::Refcounted {
    kj::Maybe<ResizeFailure> failure;
    kj::Own<ResizeReport> addRef() { return kj::addRef(*this); }
  };

  // At most one of start, stop and resize is under way; a delete cancels it, and a stop cancels a start.
  kj::Canceler canceler;
  kj::Maybe<kj::ForkedPromise<kj::Own<StartReport>>> starting;
  kj::Maybe<kj::ForkedPromise<StopKind>> stopping;
  kj::Maybe<kj::ForkedPromise<kj::Own<ResizeReport>>> resizing;
  kj::Maybe<kj::ForkedPromise<void>> erasing;
  kj::Promise<void> adopting = nullptr;
  kj::String whyUnreachable;
  kj::Promise<void> watch = nullptr;
  kj::Promise<void> greeting = nullptr;
  // Who has the turn may change the state, and store.  What an operation does within a turn is not cancelled: whoever cancels it
  // needs a turn himself.
  using Turn = kj::Own<Places::Place>;
  kj::Own<Places> turns = kj::refcounted<Places>(1);
  // What has happened and the store does not have yet, in order.  Without rows: a notice.
  struct Rows {
    WorkspaceRow row;
    MachineRow machine;
  };
  struct Unstored {
    kj::Maybe<Rows> rows;
    EventRecord event;
  };
  std::list<Unstored> unstored;
  kj::Promise<void> storing = nullptr;
  bool isStoring = false;
  // The state that the last event in the store ended in.
  WorkspaceState storedState;
  // Its row is removed: nothing is stored of it any more.
  bool isGone = false;

  kj::Vector<kj::Own<Progress>> listeners;
  Stage stage = Stage::CREATING_DISK;
  size_t startsBefore = 0;
  // What it is if the step that is under way fails.
  StartFault fault = StartFault::OTHER;
  // There may be a machine of the start that is under way, and what the console says is that machine's.
  bool hasMachine = false;
  // When its agent answered, or it was taken over.
  kj::TimePoint ranFrom = kj::origin<kj::TimePoint>();
  // Of a guest that reboots again and again.
  kj::Own<RetryPauses> rebootPauses;
  kj::TimePoint stageBase = kj::origin<kj::TimePoint>();

  void reach(Stage stage, size_t before = 0);
  void listen(kj::Maybe<kj::Own<Progress>> progress);
  // Ends what is under way for the sake of `wish`: whoever waits for it is told.
  void supersede(Wish wish);
  // Fails with `e` unless that is how supersede() ends what was under way.
  static Superseded supersededBy(kj::Exception&& e);
  kj::Promise<StartOutcome> joinStart();

  // What erase() comes to, as a value.
  struct Gone {};

  // Goes on though the caller drops what it is given.
  template <typename T>
  kj::Promise<T> keepOn(kj::Promise<T> work);  // steps.h

  // Begins a step of the present state: not while another is on its way to the store, which a restart would go on from.
  template <typename Func>
  kj::PromiseForResult<Func, void> begun(Func step);

  // Stores the state and its event, after all that has happened before; if that fails nothing has changed.  Needs the turn.
  kj::Promise<void> transition(Happening happening, Cause cause, kj::String detail = nullptr);
  // The same for a state with more in its rows.
  kj::Promise<void> transitionTo(Rows next, Cause cause, kj::String detail);
  // The same for what has happened already: a store that refuses does not make it undone.  It shows at once, and is stored in the
  // background, before anything else.  Needs the turn.
  void transitionAnyway(Happening happening, Cause cause, kj::StringPtr detail);
  // The same for the end of an operation: it is under way until the store has it, so that nobody is told what a
  // restart would undo.  Takes the turn, and gives it to the caller.
  kj::Promise<Turn> settle(Happening happening, Cause cause, kj::String detail);
  // To be stored before anything else, and as soon as the store takes it.
  void postpone(kj::Maybe<Rows> rows, EventRecord event);
  // Stores what was postponed.  Needs the turn.
  kj::Promise<void> catchUp();
  kj::Promise<void> keepStoring();
  kj::Promise<void> commit(Change change);
  // An event that changes no state.  A store that refuses is asked again.
  void append(Cause cause, kj::StringPtr detail);
  Rows changed(Happening happening, kj::StringPtr detail);
  EventRecord event(Cause cause, kj::StringPtr detail);

  VmSpec vmSpec(kj::Maybe<Image> image);

  void begin(kj::Promise<kj::Own<StartReport>> operation);
  kj::Promise<kj::Own<StartReport>> runMake(bool thenStart);
  kj::Promise<void> requireRoom();
  kj::Promise<void> makeVolume();
  kj::Promise<Secret> openKey();
  uint64_t diskBytes() const;
  // What comes of the start that `way` carries out.
  kj::Promise<kj::Own<StartReport>> reportOf(kj::Promise<void> way);
  // For a machine that an earlier bothyd started: the rest of the way.
  kj::Promise<void> awaitAdopted();
  // For one that could not be taken over yet: that first.
  kj::Promise<void> awaitAdoption();
  // For the next machine, in the store before that has it: a bothyd that takes over must know it.
  kj::Array<const kj::byte> newSecret();
  kj::Promise<StartOutcome> startOrJoin(kj::Maybe<kj::Own<Progress>> progress);
  // Gives the turn back when the store has it that the start began.
  kj::Promise<kj::Own<StartReport>> runStart(Turn turn);
  kj::Promise<void> boot(Turn& turn);
  kj::Promise<void> bootMachine();
  kj::Promise<kj::Own<RunningVm>> startMachine(VmSpec spec);
  kj::Duration bootLimit() const;
  kj::Promise<void> awaitAgent(Machine& machine);
  kj::Promise<void> learnVersion(Machine& machine);
  kj::Promise<kj::Own<StartReport>> failStart(kj::Exception exception);

  // The guest asked for it: the same again, with a boot of its own.
  void reboot();
  void beginReboot(kj::Duration pause);
  kj::Promise<void> bootAfter(kj::Duration pause);
  bool hasPanicked();

  kj::Promise<StopOutcome> stopOrJoin(uint32_t graceMillis);
  kj::Promise<StopKind> runStop(uint32_t graceMillis);
  // The stop of a start.
  kj::Promise<StopKind> runAbort();
  kj::Promise<VmEnd> endMachine(Machine& machine, uint32_t graceMillis);
  kj::Promise<void> requestPowerOff(Machine& machine, uint32_t graceMillis);

  kj::Promise<ResizeOutcome> resizeOrNot(uint32_t diskMib);
  void beginResize();
  kj::Promise<kj::Own<ResizeReport>> runResize();
  kj::Promise<bool> hasGrownLater();
  kj::Promise<bool> hasSize(uint32_t mib);

  kj::Promise<void> eraseOrJoin();
  kj::Promise<void> runErase();
  kj::Promise<void> eraseOnce();
  kj::Promise<void> destroyKey();

  void take(kj::Own<RunningVm> vm);
  void watchMachine();
  kj::Promise<void> awaitEnd();
  void machineEnded(VmEnd end);
  void retireMachine();
  // Takes its machine over: whether there is one.  Fails if that is so and cannot be done; then it goes on.
  kj::Promise<bool> adopt();
  kj::Promise<void> keepAdopting();
  // What recover() does when it knows whether the machine runs.
  void goOn(bool machineRuns);
  // The same when it cannot know.
  void goOnUnseen(kj::StringPtr why);
  kj::Promise<void> removeLeftMachine();
};

template <typename Func>
kj::PromiseForResult<Func, void> Workspace::begun(Func step) {
  auto turn = co_await turns->take();
  auto promise = step();
  turn = nullptr;
  co_return co_await promise;
}

}  // namespace bothy
