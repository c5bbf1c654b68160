@0xb5d6b1a1c0f0a008;
# A user's computer, as the platform sees it.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bothy::rpc");
$Cxx.allowCancellation;

using Agent = import "agent.capnp";
using Files = import "files.capnp";
using Process = import "process.capnp";
using Setup = import "setup.capnp";
using System = import "system.capnp";
using Terminal = import "terminal.capnp";

struct WorkspaceSpec {
  # What a workspace is made of.  Exact: the machine has these figures or is not created.

  name @0 :Text;
  # [a-z0-9]([a-z0-9-]*[a-z0-9])?, at most `maxWorkspaceNameBytes`; unique on the supervisor.
  # Not 32 hexadecimal digits, as ids are.
  image @1 :Text;
  # Name of an installed image bundle.  Empty: "base".
  cpus @2 :UInt16;
  # Virtual CPUs, 1..16.  0: the supervisor's default (1).
  memoryMib @3 :UInt32;
  # RAM in MiB, 256..1048576.  0: the supervisor's default (512).
  diskMib @4 :UInt32;
  # Size of the workspace's disk in MiB, 64..16777216.  0: the supervisor's default (4096).
  tier @5 :Text;
  # Name of a tier (`Supervisor.tiers`), whose figures it has: `cpus`, `memoryMib` and `diskMib` are 0 beside it, else the spec is
  # `invalid`.  Empty: none, and the figures are as above.
  labels @6 :List(Setup.Label);
  # At most `maxLabels`, each key once.
  configuration @7 :Setup.Configuration;
  # Not told by any `WorkspaceInfo`.
}

enum WorkspaceState {
  creating @0;  # its disk is being made, for the first time or, of one that had expired, anew; nothing of it is to be relied on
  stopped @1;
  starting @2;
  running @3;   # the agent answers
  stopping @4;
  deleting @5;
  failed @6;    # it did not start or broke: see `failure`; may be started, and deleted
  resizing @7;  # its disk is being made larger; ends in `stopped`
  paused @8;    # its machine's CPUs stand still, and its memory is kept; goes on by `resume` or `start`
  pausing @9;   # its lanes end, then its CPUs stop; ends in `paused`, or `running` where that fails
  resuming @10; # ends in `running`, or where that fails in `paused` or `hibernated`, or in `starting` where its memory is lost
  expired @11;  # its disk and its key are destroyed, and what it is made of is kept; `start` makes it anew, with an empty disk
  expiring @12; # ends in `expired`
  hibernated @13;  # it has no machine, and its memory is kept on the host's disk; goes on by `resume` or `start`
  hibernating @14; # its lanes end, its programs and CPUs stop, its memory is saved; ends in `hibernated`, or where that fails as it was before
}

struct WorkspaceInfo {
  spec @0 :WorkspaceSpec;
  # With the defaults filled in.
  id @1 :Text;
  # 32 hexadecimal digits; never used twice, unlike the name.
  state @2 :WorkspaceState;
  failure @3 :Text;
  # In state `failed`: what happened, one line.  Holds text of the guest, escaped.
  createdNanos @4 :Int64;
  startedNanos @5 :Int64;
  # Nanoseconds since 1970-01-01T00:00:00Z.  `startedNanos`: of the boot that runs, or is paused; else 0.
  agentVersion @6 :Text;
  # Of the running agent.  Empty unless running or paused.
  accelerator @7 :Text;
  # "kvm" or "tcg" of the running machine, else empty.  Under TCG a guest is not isolated from the host by any promise.
  stalled @8 :Text;
  # Why a running machine stands still (the host's disk is full), one line for people.  It goes on by itself when the
  # reason is gone.  Empty: it does not stand still.
  unreachable @9 :Text;
  # Why a running or paused machine cannot be reached, one line for people: the supervisor was started anew and could not take it over.
  # The machine goes on, and the supervisor tries again.  Empty: it was taken over, or was never lost.
  activity @10 :Agent.Activity;
  # What its agent has told of it last, with the time since then.  It tells of a change at once, and of what follows within a minute.
  # Null: nothing yet, to this supervisor.
  pausedNanos @11 :Int64;
  # In state `paused`: since when, as `startedNanos`; else 0.

  atNextStart @12 :Figures;
  # What it has from its next start on, where a change of its tier waits for that.  A guest that reboots keeps what its machine has.
  # Null: what `spec` says.

  user @13 :Text;
  nameOfUser @14 :Text;
  # Whose it is, and what he calls it (user.capnp).  Empty: it is nobody's.
  lastActiveNanos @15 :Int64;
  # When it began to run, or ceased to, the last time, or somebody typed or a command ran in it, as far as its agent has told; as `startedNanos`.  0: it
  # never ran.
  host @16 :Text;
  # Where it is: the name of the supervisor's host.
  pausesNanos @17 :Int64;
  # In state `running`: when it will be paused because nobody uses it, where that was announced (`idleWarning`); else 0.
  setup :group {
    # The steps of its configuration.  A workspace is `running` while they are done.
    steps @18 :UInt32;
    done @19 :UInt32;
    # How many have ended well, which are the first.
    failed @20 :Text;
    # Which step has failed, and why, one line; guest text in it is escaped.  Empty: none has.
  }

  hibernatedNanos @21 :Int64;
  # In state `hibernated`: since when, as `startedNanos`; else 0.
  savedBytes @22 :UInt64;
  # And what its memory takes on the host's disk.
}

struct Figures {
  # As a spec has them.

  cpus @0 :UInt16;
  memoryMib @1 :UInt32;
  diskMib @2 :UInt32;
}
