@0xb5d6b1a1c0f0a007;
# What the agent, PID 1 of a workspace's machine, offers on each lane (lane.capnp).

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bothy::rpc");
$Cxx.allowCancellation;

using Lane = import "lane.capnp";
using Process = import "process.capnp";
using Setup = import "setup.capnp";
using System = import "system.capnp";
using Terminal = import "terminal.capnp";

interface Agent {
  # The bootstrap capability of an interactive lane and of one for commands.  A capability belongs to the lane it came
  # over.  All lanes show the same terminals.  What the lane's grant does not allow fails with FAILED.
  #
  # Who goes beyond one of these limits (limits.capnp) loses the lane: `maxLaneAnswers` calls under way, `maxLaneExports`
  # capabilities kept, `maxGivenCapabilities` given, `maxMessageCapabilities` in a message, `maxUnansweredCalls` left unanswered.

  terminals @0 () -> (terminals :Terminal.Terminals);
  # With the verb `terminals`; with `viewTerminals` alone, as `Terminals.view` has them.
  processes @1 () -> (processes :Process.Processes);
  # With the verb `programs`.
  system @2 () -> (system :System.System);
  # With the verb `machine`.
}

interface AgentControl extends(System.System) {
  # The bootstrap capability of the control lane, which is the supervisor's.  No answer on it holds a capability.

  ping @0 () -> ();
  # Answers at once.

  lanes @1 () -> (lanes :List(LaneInfo));
  # Those that are served, this one among them, in the order in which they were granted.

  endLanes @2 (which :LaneChoice) -> (ended :UInt32);
  # Ends lanes, and returns when they are closed.  How many there were.

  events @3 (after :UInt64) -> (events :List(AgentEvent), newest :UInt64);
  # What happened since the event number `after`, as soon as something has.  What was told up to `after` is forgotten, the rest
  # is kept for whoever asks next: the last `maxAgentEvents`, and `maxPortEvents`.  Numbers begin with 1 at each boot and rise by one, so that who misses
  # some sees how many.  `newest` is the last that there is, the highest of `events`.

  wake @4 (realtimeNanos :Int64, seed :Data) -> (behindNanos :Int64, thawed :Bool);
  # Said right after the machine's CPUs have stood still: its clock (CLOCK_REALTIME) is set to `realtimeNanos`, nanoseconds since
  # 1970-01-01T00:00:00Z, at once.  By how much it was behind that; negative: ahead.
  #
  # Then `seed`, if it is not empty, is mixed into the kernel's randomness, which is seeded anew: what comes from it from then on is not what
  # another machine gets that goes on with the same memory.  Then, and not before, what `freeze` has stopped goes on: `thawed` says whether it
  # stood still until now.

  configure @5 (configuration :Setup.Configuration) -> ();
  # Said once a boot, before anybody else has a lane; the same may be said again.  Its steps begin, or go on where they were.

  setup @6 (after :UInt64) -> (status :Setup.SetupStatus);
  # How far they are, as soon as `revision` is above `after`.

  retrySetup @7 () -> ();
  # The step that has failed begins again.  Nothing, where none has.

  freeze @8 (realtimeNanos :Int64, thawAfterMillis :UInt32) -> (diskFrozen :Bool);
  # Before the machine's memory is saved.  The clock is set as `wake` does; then all programs of users are stopped, and returned is when they
  # stand still, what they have written is on the workspace's disk, the kernel's caches are given back, and nothing is written to the
  # disk any more (`diskFrozen`; false where there is none).  Fails where they do not stand still within `freezeLimitMillis`, and then they go on.
  #
  # They go on by themselves after `thawAfterMillis` of the machine's own time, in which it does not stand still, unless `wake` comes first.
}

struct LaneChoice {
  # Which lanes are meant: one, or all of a session but for a control lane.

  union {
    none @0 :Void;
    lane @1 :UInt64;
    session @2 :Text;
  }
}

struct LaneInfo {
  # One lane, with what its grant said.

  lane @0 :UInt64;
  purpose @1 :Lane.Purpose;
  session @2 :Text;
  actor @3 :Text;
  ageMillis @4 :UInt64;
}

struct AgentEvent {
  # Something that happened in the machine.  Names are the guest's: escape before showing.

  number @0 :UInt64;
  lane @1 :UInt64;
  what @2 :What;
  enum What {
    began @0;      # no agent says so: `lanes` has those that are served
    ended @1;      # by its client, or because the host went away
    ordered @2;    # by `endLanes`, or a control lane by a newer one
    expired @3;    # its lifetime was over
  }

  union {
    laneEnded @3 :Void;
    # `lane` has ended, for the reason `what`.

    programEnded @4 :ProgramEnded;
    # One that was started by `Processes.exec` or on a terminal.

    outOfMemory @5 :OutOfMemory;
    # The kernel has ended a process for want of memory.

    diskFilling @6 :DiskUse;
    # The workspace's disk is at 90 % or more.  Told again when it was below 85 % meanwhile.

    portOpened @7 :Port;
    # A program listens on a TCP port on which none did.
    portClosed @8 :Port;
    # None listens there any more.  Not told of every port: where more begins and ends at once than the kernel can report, the ports
    # that were open are forgotten, and opened ones are told again.

    activity @9 :Activity;
    # A terminal was given input, or a program has begun or ended.  Told at once after a minute without, and once a minute at most.
  }
}

struct Activity {
  # What people and programs do in the machine.

  input :union {
    never @0 :Void;
    # No terminal was given input since the machine has booted.
    sinceMillis @1 :UInt64;
    # So long before this was told one was last: what somebody typed, or what his terminal answered to a program.
  }
  commands @2 :UInt32;
  # Programs of `Processes.exec` that run, and a set-up step's.
  terminals @3 :UInt32;
  # And those on terminals.
  wakes @4 :UInt32;
  # Wake locks that programs hold (`bothy-wake`).  Told at once, and once a second at most.
  longestWake @5 :Wake;
  # That which ends last, where there is one.

  struct Wake {
    uid @0 :UInt32;
    # Of the machine's.
    label @1 :Text;
    # What for, at most `maxWakeLabelBytes`.
    leftMillis @2 :UInt64;
    # Until it ends, if it is not released before; of the machine's own time, in which it does not stand still.
  }
}

struct ProgramEnded {
  pid @0 :UInt32;
  kind @1 :Kind;
  enum Kind {
    command @0;
    terminal @1;
  }
  name @2 :Text;
  # argv[0], at most `maxEventNameBytes` of it.
  status @3 :Process.ExitStatus;
}

struct OutOfMemory {
  pid @0 :UInt32;
  # The process that was ended.
  name @1 :Text;
  # As the kernel knows it (proc(5), comm): at most 15 bytes.
  program @2 :UInt32;
  # The pid of the program to whose tree it belonged; 0: to none that is known.
}

struct DiskUse {
  usedBytes @0 :UInt64;
  totalBytes @1 :UInt64;
  # That users may have.
}

struct Port {
  # Of the machine's own network, not of a container's.

  number @0 :UInt16;
  loopback @1 :Bool;
  # Reached from the machine itself alone.
}

const maxEventNameBytes :UInt32 = 64;

const maxWakeLabelBytes :UInt32 = 64;

const maxGuestWakeMillis :UInt64 = 2592000000;
# Of a wake lock: 30 days.

const maxAgentEvents :UInt32 = 256;
# Beside ports.

const maxPortEvents :UInt32 = 64;
# Of ports, the last.  What happened to a port takes the place of what has not been told of it.
