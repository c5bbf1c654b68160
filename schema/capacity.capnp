@0xb5d6b1a1c0f0a010;
# Capacity: what a host has and gives to workspaces (`Supervisor.capacity`), and what is said when it has too little.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bothy::rpc");

struct Capacity {
  # What is used, and the most that may be.

  memory :group {
    # Of machines that run, are paused or start.
    usedMib @0 :UInt64;
    mostMib @1 :UInt64;
  }
  cpus :group {
    # Virtual ones, of the same machines.
    used @2 :UInt64;
    most @3 :UInt64;
  }
  disk :group {
    promisedMib @4 :UInt64;
    # The sizes of all workspaces' disks, which take less as long as they are not full.
    mostMib @5 :UInt64;
    # 0: no limit.
    freeMib @6 :UInt64;
    # Of the host's disk.
    keptMib @7 :UInt64;
    # That must stay free: nothing is made, started or resized below it.
  }
}

struct Shortage {
  # What a host has too little of.  Nothing was made and nothing has changed.

  what @0 :Resource;
  asked @1 :UInt64;
  free @2 :UInt64;
  # In MiB, of processors their number.
  why @3 :Text;
  # One line, for people, with what to do.

  enum Resource {
    memory @0;
    cpus @1;
    disk @2;
  }
}
