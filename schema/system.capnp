@0xb5d6b1a1c0f0a006;
# The workspace's machine as a whole.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bothy::rpc");
$Cxx.allowCancellation;

struct BootReport {
  # How the machine came up.  The agent answers also when the data disk did not.

  stages @0 :List(Stage);
  # In order.  The last ones come when the machine is already in use.
  struct Stage {
    name @0 :Text;
    startMicros @1 :UInt64;
    # Microseconds since the kernel's clock began (CLOCK_MONOTONIC).
    tookMicros @2 :UInt64;
    failure @3 :Text;
    # Empty: it went well.
  }

  kernel @1 :Text;      # uname -r
  bootId @2 :Text;      # /proc/sys/kernel/random/boot_id
  agentVersion @3 :Text;
  image :group {
    name @4 :Text;      # from the image's /usr/lib/bothy/image, e.g. "base"
    version @5 :Text;
  }

  dataDisk :union {
    ready :group {
      created @6 :Bool; # formatted during this boot
    }
    absent @7 :Void;    # no such device: the machine has no writable disk, / is in memory
    damaged @8 :Text;   # could not be mounted: / is in memory, nothing was written to the disk
  }
}

struct Health {
  uptimeMillis @0 :UInt64;
  memoryTotalBytes @1 :UInt64;
  memoryAvailableBytes @2 :UInt64;
  diskTotalBytes @3 :UInt64;
  diskFreeBytes @4 :UInt64;
  # Of the data disk; 0 if there is none.
  load1 @5 :Float32;
  processes @6 :UInt32;
  cpus @7 :UInt32;
  agentMemoryBytes @8 :UInt64;
  # Resident set of the agent.
  agentWakeups @9 :UInt64;
  # Voluntary context switches of the agent since boot.  While nothing happens it stays; a lane on which a call waits adds one in
  # 20 seconds, by the client's question for a sign of life; one of which the client may not have
  # read something adds one in 32 seconds, and five in three seconds while more waits to be written to it.
}

interface System {
  # The machine as a whole.

  report @0 () -> (report :BootReport);
  # Of this boot.  Only stages are added while the machine runs.

  health @1 () -> (health :Health);
  # As of now.

  powerOff @2 (graceMillis :UInt32) -> ();
  # Ends the machine in order: SIGTERM to every process, after `graceMillis` (at most `maxGraceMillis`) SIGKILL,
  # unmount, sync, power off.  From the order on no program is started (`machineEnding`).  Returns when the
  # order was taken; the connection breaks some time later.  A second call may shorten the grace, never
  # lengthen it.  The answer may be lost: the machine may be gone before it was sent.

  reboot @3 (graceMillis :UInt32) -> ();
  # As powerOff.  The supervisor decides whether a machine that asks for a reboot gets one.
}
