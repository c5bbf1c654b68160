@0xb5d6b1a1c0f0a00f;
# Tiers: the kinds of workspaces that a host offers (`Supervisor.tiers`), and what a change from one to another does (`Supervisor.changeTier`).

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bothy::rpc");

using ActivityTypes = import "activity.capnp";
using WorkspaceTypes = import "workspace.capnp";

struct Tier {
  # What workspaces of one kind have.  A workspace keeps the processors, the memory and the disk with which it was made, though the
  # tier's settings change; `changeTier` brings it up to date.

  name @0 :Text;
  # [a-z0-9]([a-z0-9-]*[a-z0-9])?, at most 32 bytes.
  cpus @1 :UInt16;
  memoryMib @2 :UInt32;
  diskMib @3 :UInt32;
  sessions @4 :UInt16;
  # That a workspace has at a time.
  io @5 :IoLimits;
  idle @6 :ActivityTypes.IdlePolicy;
  # What becomes of its workspaces when nobody uses them.  Changes of the settings hold at once.
}

struct IoLimits {
  # Of a workspace's disk, in a second.  0: no limit.

  readBytes @0 :UInt64;
  writeBytes @1 :UInt64;
  readOperations @2 :UInt64;
  writeOperations @3 :UInt64;
}

struct TierPlan {
  # What a change of tier does, and when.

  workspace @0 :WorkspaceTypes.WorkspaceInfo;
  # As it is now, or after the change.
  changes @1 :List(Change);
  # Figures that stay are not among them.
  refusal @2 :Text;
  # Why it cannot be done, one line, for people; empty if it can.

  struct Change {
    # Of one figure; memory and disk in MiB, inputs and outputs in a second.

    figure @0 :Figure;
    before @1 :UInt64;
    after @2 :UInt64;
    when @3 :When;
  }
  enum Figure {
    cpus @0;
    memoryMib @1;
    diskMib @2;
    sessions @3;
    readBytes @4;
    writeBytes @5;
    readOperations @6;
    writeOperations @7;
  }
  enum When {
    now @0;
    nextStart @1;
    never @2;  # a disk never shrinks
  }
}
