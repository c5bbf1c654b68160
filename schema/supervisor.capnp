@0xb5d6b1a1c0f0a009;
# What bothyd offers on its socket: to the command line and to platform back ends.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bothy::rpc");
$Cxx.allowCancellation;

using ActivityTypes = import "activity.capnp";
using CapacityTypes = import "capacity.capnp";
using HibernationTypes = import "hibernation.capnp";
using MeteringTypes = import "metering.capnp";
using SessionTypes = import "session.capnp";
using Setup = import "setup.capnp";
using Stream = import "stream.capnp";
using TierTypes = import "tier.capnp";
using WorkspaceTypes = import "workspace.capnp";

interface Supervisor {
  # The bootstrap capability of a connection.  Who may open the socket may do all of this.
  #
  # Dropping a call does not undo what it began: a `create`, `start`, `stop`, `resize`, `pause`, `resume`, `hibernate`, `changeTier`, `expire` or `delete` that was accepted goes
  # on to its end, also over restarts of the supervisor, and `watch` tells how it went.  Calls for one workspace that exclude each other get
  # `busy`; callers who ask for what is already under way (a second `start`) join it.

  version @0 () -> (generation :UInt16, version :Text, accelerator :Text, vsock :Text);
  # `accelerator`: "kvm" or "tcg".  `vsock`: "kernel" or "vhost-user".

  create @1 (spec :WorkspaceTypes.WorkspaceSpec, requestId :Text, start :Bool = true, progress :Progress) -> (outcome :CreateOutcome);
  # Makes a workspace and, unless `start` is false, starts it: returns when its agent answers, and what its configuration has of set-up steps
  # is done or has failed.  One whose set-up has failed is `created` and runs: `WorkspaceInfo.setup` says which step and why.
  # `requestId`, if not empty (at most `maxRequestIdBytes`), makes the call repeatable: the same id with the same spec gives the
  # same workspace, also after a restart; with another spec, `requestConflict`.
  struct CreateOutcome {
    union {
      created @0 :WorkspaceTypes.WorkspaceInfo;
      exists @1 :WorkspaceTypes.WorkspaceInfo;
      # The name is taken; this is who has it.
      invalid @2 :Text;
      # The spec is refused: names the field, the value and the limit.
      noSuchImage @3 :Text;
      # The image's name.
      requestConflict @4 :Void;
      failed @5 :StartFailure;
      # It exists, in state `failed` (a disk could not be made: it does not exist).
      noSpace @6 :Text;
      # The host's disk cannot hold it.  Nothing was made.
      stopped @7 :WorkspaceTypes.WorkspaceInfo;
      # It exists; a `stop` came before its agent answered.
      underway @8 :Underway;
      # It exists.
      noCapacity @9 :CapacityTypes.Shortage;
      # The host has not enough left of what is named.  Nothing was made.
    }
  }

  list @2 (prefix :Text, states :List(WorkspaceTypes.WorkspaceState), after :Text, limit :UInt32, labels :List(Setup.Label)) -> (workspaces :List(WorkspaceTypes.WorkspaceInfo), next :Text);
  # A page of the workspaces, by name: those whose name begins with `prefix`, which are in one of `states` (empty: in any) and have all of
  # `labels` (at most `maxLabels`), and whose name is behind `after`.  At most `limit` of them, and never more than `maxListedWorkspaces`; 0: that many.
  # `next`, if not empty, is the `after` of the next page: there may be more, also where this page is empty.  A workspace that
  # is made or deleted between two pages is on one of them or on none; no other is missed or told twice.

  get @3 (name :Text) -> (outcome :GetOutcome);
  # What is known of one workspace at this moment; starts nothing.
  struct GetOutcome {
    union {
      found @0 :WorkspaceTypes.WorkspaceInfo;
      absent @1 :Void;
    }
  }

  connect @4 (name :Text, wanted :LaneRequest, wake :Bool, progress :Progress) -> (lane :Lane, outcome :ConnectOutcome);
  # A lane (lane.capnp) to a running workspace's agent; null unless `connected`.  What it is used for decides which one to ask
  # for: bulk data on one does not hold up keystrokes on another.  Answers within about 5 seconds.  Fails with OVERLOADED where this
  # client holds 64 lanes, those that have ended, are under way or are just being closed among them.
  #
  # `wake`: a workspace that is `paused` or `hibernated`, or on its way there or back, is resumed first, once for all who ask, and one that is `expired` is started, and the answer comes after that;
  # `progress` is as of `start`.  For a person's input or a new command.  Who has lost a lane to a pause asks without it, and is told
  # `notRunning`; `whenResumed` tells when to ask again.
  struct ConnectOutcome {
    union {
      connected @0 :WorkspaceTypes.WorkspaceInfo;
      absent @1 :Void;
      notRunning @2 :WorkspaceTypes.WorkspaceState;
      unreachable @3 :Text;
      # The machine runs, and its agent did not answer in time, or see `WorkspaceInfo.unreachable`: why, for people.
      stalled @4 :Text;
      # The machine runs and stands still, see `WorkspaceInfo.stalled`: why, for people.
      unsupported @5 :Text;
      # What is wanted is not offered, or not valid: which, for people.
      agentTooOld @6 :UInt16;
      # The machine's agent speaks this generation, which cannot express what is wanted: it can after the next start.  Told
      # of `viewTerminals` to an agent older than `statefulTerminals`.
      notAllowed @7 :Text;
      # Told of a session's lane (session-gate.capnp): which right it has not, for people.
    }
  }

  start @5 (name :Text, progress :Progress) -> (outcome :StartOutcome);
  # Returns when the agent answers, and as `create` when set-up steps are done or have failed.  A running workspace is `started` at once; one
  # that is `paused` or `hibernated` is resumed, as by `resume`; one that is `expired` is made anew, with an empty disk.
  struct StartOutcome {
    union {
      started @0 :WorkspaceTypes.WorkspaceInfo;
      absent @1 :Void;
      busy @2 :WorkspaceTypes.WorkspaceState;
      failed @3 :StartFailure;
      stopped @4 :Void;
      # A `stop` came before the agent answered.
      underway @5 :Underway;
      noCapacity @6 :CapacityTypes.Shortage;
      # The host has not enough left of what is named.  The workspace is as it was.
    }
  }

  struct StartFailure {
    stage @0 :Stage;
    # Where it ended.
    message @1 :Text;
    # One line, for people; guest text in it is escaped.
    console @2 :Text;
    # The end of the machine's console, at most 4 KiB, escaped but for line feeds.
    fault @3 :StartFault;
  }

  stop @6 (name :Text, graceMillis :UInt32 = 30000) -> (outcome :StopOutcome);
  # Ends the machine in order; after `graceMillis` (0..600000) by force.  A workspace that is `starting` is not
  # waited for: its start ends, and its machine, if there is one yet, by force.  So does a machine that is unreachable.  One that is
  # `paused`, `pausing` or `resuming` goes on first, and is ended in order within the grace.
  struct StopOutcome {
    union {
      stopped @0 :StopKind;
      absent @1 :Void;
      busy @2 :WorkspaceTypes.WorkspaceState;
      underway @3 :Underway;
    }
  }
  enum StopKind {
    orderly @0;   # it powered itself off
    forced @1;    # it was killed: writes that were not synced are lost
    already @2;   # there was no machine
  }

  delete @7 (name :Text) -> (outcome :DeleteOutcome);
  # Stops the machine by force and destroys all that belongs to the workspace.  Accepted in every state.
  struct DeleteOutcome {
    union {
      deleted @0 :Void;
      absent @1 :Void;
      underway @2 :Underway;
    }
  }

  struct Underway {
    # It was accepted and goes on.  `watch` reports the end, and the same call joins it again.  A `stop` (beyond its grace), a
    # `delete`, an `expire`, a `resize`, a `pause` and a `resume` wait 90 s.  A `create` or `start` waits for its end, which comes within an hour, and 90 s more
    # for the database, which refuses to keep what came of it; a `create` is joined by its `requestId`.  Whoever waits for set-up steps too waits longer,
    # as long as these may take.
    state @0 :WorkspaceTypes.WorkspaceState;
    why @1 :Text;
    # Why the last try failed: one line, for people; empty if none did.
  }

  watch @8 (after :UInt64, sink :EventSink) -> (handle :Stream.Handle, first :UInt64, last :UInt64);
  # Sends every event with a number above `after`, then what comes, while `handle` is held.  Of each workspace the last
  # `maxEventsOfWorkspace` are kept, for `eventDays`, and of all `maxEvents`, or some thousands more; `first` is the number of the oldest event that is, and `last` that of the newest at the call, 0 if
  # nothing has happened yet: who wants no more than what was stops there.  Fails with OVERLOADED where this client holds 64 watches, or its
  # user, by all its clients, 256.

  resize @9 (name :Text, diskMib :UInt32) -> (outcome :ResizeOutcome);
  # Makes the disk of a workspace that does not run (`stopped` or `failed`, else `busy`) `diskMib` large; its file
  # system follows at the next start.  Ends in `stopped`.  The size that it has is `resized` at once.  One to the
  # size to which it is being resized joins that.  A call that is dropped cancels nothing.
  struct ResizeOutcome {
    union {
      resized @0 :WorkspaceTypes.WorkspaceInfo;
      absent @1 :Void;
      busy @2 :WorkspaceTypes.WorkspaceState;
      invalid @3 :Text;
      # A size below the present one (a disk never shrinks) or above the limit (4 TiB, unless the disk is larger already):
      # which, and what it must be.
      noSpace @4 :Text;
      # The host's disk cannot hold it; the workspace's disk is as it was.
      failed @5 :Text;
      # One line, for people; the workspace's disk is as it was.
      underway @6 :Underway;
      noCapacity @7 :CapacityTypes.Shortage;
      # The host's disks have no more to give; the workspace's disk is as it was.
    }
  }

  doctor @10 () -> (findings :List(Finding));
  # Examines the host, as it is at this moment, for what workspaces need and what their isolation and secrecy rest
  # on.  Changes nothing.  Every check is told, good or not, always in the same order.

  pause @11 (name :Text) -> (outcome :PauseOutcome);
  # Stops the CPUs of a running workspace and keeps its memory: it takes no processor time, and all that runs in it goes on where it was
  # after `resume`.  Its lanes end first, with `paused`.  A workspace that is `paused` is `paused` at once.
  struct PauseOutcome {
    union {
      paused @0 :WorkspaceTypes.WorkspaceInfo;
      absent @1 :Void;
      notRunning @2 :WorkspaceTypes.WorkspaceState;
      # There is nothing to pause, or something else is under way.
      failed @3 :Text;
      # One line, for people: it runs, or what has become of it meanwhile is its state.
      underway @4 :Underway;
    }
  }

  resume @12 (name :Text, progress :Progress) -> (outcome :ResumeOutcome);
  # Lets a paused or hibernated workspace go on.  Its guest's clock is set first, and of a hibernated one its randomness, before any program of
  # its users goes on.  Returns when its agent answers, or has not for 30 s.  A running one is `resumed` at once.  Where memory that was kept
  # cannot be used, the workspace starts from its disk instead, and an event says so (`memoryLost`).
  struct ResumeOutcome {
    union {
      resumed @0 :WorkspaceTypes.WorkspaceInfo;
      absent @1 :Void;
      notPaused @2 :WorkspaceTypes.WorkspaceState;
      # `start` starts a workspace that is stopped or failed, and makes one anew that is expired; else something is under way that excludes it.
      failed @3 :Text;
      # One line, for people: it is paused as before, or what has become of it meanwhile is its state.
      stopped @4 :Void;
      # A `stop` came first.
      underway @5 :Underway;
    }
  }

  whenResumed @13 (name :Text) -> (state :WorkspaceTypes.WorkspaceState);
  # Returns when the workspace is neither `paused` nor `hibernated`, nor on its way there or back, with the state that it has then; `deleting` where there is
  # none of that name.  Wakes nothing.  A call that waits counts as a `watch`.

  sessions @14 () -> (sessions :SessionTypes.Sessions);
  # Rights to workspaces for a time, for others than those who may open this socket.

  tiers @15 () -> (tiers :List(TierTypes.Tier));
  # The kinds of workspaces that this host offers: free, pro, team and enterprise, as its settings have changed them.

  changeTier @16 (name :Text, tier :Text, apply :Bool, keepDisk :Bool) -> (outcome :ChangeTierOutcome);
  # Plans what it would change to give the workspace this tier, and with `apply` does it.  Processors and memory change at the
  # next start, and so does the disk, which only grows: a tier with a smaller disk is refused, or with `keepDisk` changes the rest.  How
  # fast its disk may be read and written, how many sessions it may have, and what becomes of it when nobody uses it, changes at once; sessions beyond
  # that number stay until they end, and nobody's workspace is paused for it without the warning of the new tier (activity.capnp).  To resume a paused workspace is no start.  The tier that it has
  # brings it up to date with the settings.  `busy` while an operation is under way.
  struct ChangeTierOutcome {
    union {
      planned @0 :TierTypes.TierPlan;
      # Nothing was changed.
      changed @1 :TierTypes.TierPlan;
      # It is stored.
      absent @2 :Void;
      busy @3 :WorkspaceTypes.WorkspaceState;
      invalid @4 :Text;
      # There is no such tier, or the workspace cannot have it: why, for people.
      noCapacity @5 :CapacityTypes.Shortage;
      # The host cannot hold the larger disk.  Memory and processors are counted when it starts.
    }
  }

  capacity @17 () -> (capacity :CapacityTypes.Capacity);
  # What this host's machines and disks take of what they may, at this moment.

  metering @18 () -> (metering :MeteringTypes.Metering);
  # What workspaces have had and taken.

  users @19 () -> (users :Capability);
  # A `Users` of user.capnp, which needs this file: the platform's users, and the workspaces of each.

  expire @20 (name :Text) -> (outcome :ExpireOutcome);
  # Destroys the disk, the key and, where there is one, the memory of a workspace that is `stopped`, `failed` or `hibernated` (else `busy`), as `delete`
  # does, the key first, and keeps the workspace: its name, id, user, sessions and what it is made of.  It takes nothing of the host but its rows then.
  # `start`, `connect` with `wake` and `Users.ensure` make it anew, with an empty disk under another key, of the size that it had, or by a change of its
  # tier has since; where that cannot be, it is `expired` again.  One that has expired is `expired` at once.  Begun, it goes on until it is done.
  struct ExpireOutcome {
    union {
      expired @0 :WorkspaceTypes.WorkspaceInfo;
      absent @1 :Void;
      busy @2 :WorkspaceTypes.WorkspaceState;
      underway @3 :Underway;
      failed @4 :Text;
      # What is stored of it is damaged, and what is on the host of it is left as it is: one line, for people.  `delete` removes it.
    }
  }

  activity @21 () -> (activity :ActivityTypes.WorkspaceActivity);
  # What keeps workspaces awake, and what becomes of those that nobody uses.

  setup @22 (name :Text, retry :Bool) -> (outcome :SetupOutcome);
  # The set-up steps of a workspace.  With `retry` the one that has failed begins again first, with an event; `get` tells how that goes on.
  struct SetupOutcome {
    union {
      found @0 :Setup.SetupInfo;
      absent @1 :Void;
      notRunning @2 :WorkspaceTypes.WorkspaceState;
      # `retry` wants a workspace that runs.
      agentTooOld @3 :UInt16;
      # The same, of one whose agent speaks this generation and knows no set-up.
      nothingFailed @4 :Void;
      # There is nothing to `retry`.
      failed @5 :Text;
      # The agent could not be asked: one line, for people.
    }
  }

  hibernate @23 (name :Text) -> (outcome :HibernationTypes.HibernateOutcome);
  # Writes the memory of a running or paused workspace to its encrypted place on the host's disk, and ends its machine: it takes neither
  # processor time nor memory, and all that runs in it goes on where it was after `resume`.  Its lanes end first, with `paused`.  Returns
  # when that is done, which takes as long as the memory is large.  One that is `hibernated` is `hibernated` at once.
}

struct LaneRequest {
  # What a lane is wanted for, and with which rights.

  union {
    none @0 :Void;          # refused
    interactive @1 :Void;   # the workspace's terminals, and the machine as a whole
    commands @2 :Void;      # its programs, and the machine as a whole
    files :group {
      user @3 :Text;        # with whose rights; empty: the workspace's user
      access @4 :FileAccess;
    }
    viewTerminals @5 :Void; # the workspace's terminals, to look at and nothing else
    filesBeneath :group {
      # As `files`, in one directory alone, which is the lane's "/": whatever leads out of it is refused, `..` and symbolic links too.
      user @7 :Text;
      access @8 :FileAccess;
      directory @9 :Data;
      # A path as `Files` has it, at most `maxBeneathBytes`, looked up with the rights of the user.
    }
    machine @10 :Void;      # the machine as a whole, and nothing else
  }
  lifetimeMillis @6 :UInt64;
  # 0: for as long as the `Lane` is held.
}

enum FileAccess {
  none @0;
  read @1;
  write @2;    # and read
}

interface Lane {
  # A lane's life, and its descriptor: the capability comes with a connected stream socket (SCM_RIGHTS; `getFd` in Cap'n Proto's
  # C++), at which the workspace's agent says its Welcome (lane.capnp) and then speaks RPC.  bothyd has said Hello and
  # Grant, and reads and writes nothing on it.  Non-blocking, with an SO_RCVLOWAT of 1; an answer in which no descriptor comes is to be
  # asked for again.
  #
  # Dropping the capability, or the connection to bothyd that it came over, ends the lane.  Closing the descriptor does not, for bothyd
  # has a copy of it.  bothyd's own end ends no lane: from then on the lane lives for as long as its descriptor is open.

  whenEnded @0 () -> (reason :LaneEnd);
  # Returns when the lane has ended.  Fails with DISCONNECTED when bothyd or the connection to it ends.  A call that waits holds the
  # lane, as the capability does.
}

enum LaneEnd {
  closed @0;          # by its client; not told yet: whoever drops the capability hears nothing more of the lane
  revoked @1;         # by bothyd: its session (session-gate.capnp) was revoked
  expired @2;         # its lifetime was over, or its session's
  stopped @3;         # the machine has ended
  stalled @4;         # the machine stands still
  paused @5;          # the machine was paused: told before its CPUs stop
  deviceReplaced @6;  # the machine's vsock device has failed or was replaced: ask for another lane
  agentGone @7;       # the agent closed it, or the client shut its socket down (shutdown(2))
}

struct Finding {
  # What one check of the host found.

  name @0 :Text;
  # Of the check: [a-z-]+, the same for ever ("swap", "ksm").
  verdict @1 :Verdict;
  found @2 :Text;
  # What is there, one line, for people.
  advice @3 :Text;
  # What to do about it, one line, for people.  Empty where the verdict is `ok`.
}

enum Verdict {
  ok @0;
  warn @1;     # workspaces run, and something that they rest on is weaker than it could be
  refuse @2;   # bothyd does not start on such a host
}

enum Stage {
  # The way to a running workspace, in order.
  creatingDisk @0;
  startingVm @1;
  booting @2;      # the kernel runs
  agentReady @3;
  waiting @4;
  # Within `startingVm`, which comes again after it: other machines start first.
  settingUp @5;
  # After `agentReady`: a set-up step, see `Progress`.
  resuming @6;
  # In place of `startingVm` and `booting`: its memory was kept.
}

enum StartFault {
  # What kept a workspace from starting.
  other @0;         # see the message
  disk @1;          # its disk was not made or cannot be opened
  vmmExited @2;     # the virtual machine monitor did not start, or ended
  kernelSilent @3;  # nothing came from the kernel: it is none, or does not run here
  noInit @4;        # the kernel found no init that it could run
  kernelPanic @5;   # the kernel panicked for another reason
  noHello @6;       # something runs in the machine, and its agent does not answer
  generation @7;    # the agent is of another protocol generation
}

interface Progress {
  # Implemented by the caller; a null capability where nobody wants to know.
  stage @0 (stage :Stage, elapsedMillis :UInt32, before :UInt32, setup :SetupStage) -> stream;
  # The stage has begun (`agentReady`: was reached), so long after the call.  `before`, of `waiting`: how many machines start
  # first; told again as that changes, at most once a second.  Who takes them slowly misses some, and hears of the newest.

  struct SetupStage {
    # Of `settingUp`, which is told again with each step and each line, at most some times a second.

    step @0 :UInt32;
    # From 0 on.
    steps @1 :UInt32;
    name @2 :Text;
    line @3 :Text;
    # The last of what the step has said, escaped.
  }
}

struct Event {
  number @0 :UInt64;
  # Rises, also over restarts.  Each watch is told every event as it happens, in their order; where one is missing among those
  # that are told later, it is counted in one that follows, or is not kept any more.
  timeNanos @1 :Int64;
  workspace @2 :Text;     # name
  workspaceId @3 :Text;
  before @4 :WorkspaceTypes.WorkspaceState;
  after @5 :WorkspaceTypes.WorkspaceState;
  gone @6 :Bool;
  # It does not exist any more; `after` means nothing then.
  cause @7 :Cause;
  detail @8 :Text;
  # One line, for people.  Guest text in it is escaped.
  count @9 :UInt32 = 1;
  # So many equal ones, one after the other or in turn with others that change no state, are told by this one.
  firstNanos @10 :Int64;
  # When the first of them happened; 0 from a supervisor that does not count.
  actor @11 :Text;
  # Who asked for what is told, from the first event of it to its end: "uid 1000" of the operators' socket (whose the client is, also where it has a subordinate
  # user id), "session ID", or "session ID of NAME" where the session has an actor, or "rule NAME" ("rule pause-after").  Escape NAME, which is the platform's
  # word.  Empty: nobody did; the guest, the host or the supervisor itself is the cause.
}

enum Cause {
  request @0;         # a client asked: for this state, or, where that is as before, for what `detail` says (a tier, idle figures, a retry of its set-up)
  guestPoweredOff @1;
  vmExited @2;        # QEMU ended by itself or was killed
  startFailed @3;
  adopted @4;         # found running when the supervisor started
  recovered @5;       # left half-done by a supervisor that ended, or that its database refused: cleaned up or completed;
                      # or what a creation that failed has left, which nobody asked to delete
  vsockLost @6;       # the vsock device's process ended; the machine goes on
  vsockRestored @7;
  resizeFailed @8;    # its disk could not be made larger, and is as it was
  diskFull @9;        # a write found no room on the host's disk: the machine stands still until there is
  diskFreed @10;      # there is room, and it goes on
  guestRebooted @11;  # the guest asked for a reboot: it starts again by itself, and runs again; one that was to be paused is `stopped`
  unreachable @12;    # it runs, and the supervisor that started cannot take its machine over yet
  vsockNotRestored @13;  # its vsock device could not be replaced so far: nobody reaches the machine until it is, or starts anew
  programEnded @14;   # `detail` says which and how; it and those below are the guest's own words, of which only so many a minute are kept
  outOfMemory @15;    # the guest's kernel has ended a process for want of memory
  diskFilling @16;    # the workspace's disk is at 90 % or more
  portOpened @17;     # a program in it listens on a TCP port
  portClosed @18;     # and does so no more
  idle @19;           # nobody has used it for as long as its policy says: `detail` of the first event of it does, and `actor` of each names the rule
  idleWarning @20;    # and soon has not: `detail` says what comes, and when
  setUp @21;          # all its set-up steps have ended well
  setupFailed @22;    # one has failed; `detail` says which and why
  memoryLost @23;     # the memory with which the workspace was to go on cannot be used, or was used: it starts from its disk.  Why is in `detail`
}

interface EventSink {
  # Implemented by the client.

  event @0 (event :Event) -> stream;
  # One event, in the order in which they happened.
}

const maxEvents :UInt32 = 1000000;
const maxEventsOfWorkspace :UInt32 = 1000;
const eventDays :UInt32 = 90;
