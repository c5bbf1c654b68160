@0xb5d6b1a1c0f0a00c;
# What the agent and its file workers say to each other: processes of one program, so nothing of this is of a generation.
#
# Each message is one packet, in Cap'n Proto's stream framing: to the worker of a SOCK_SEQPACKET socket, back of a pipe.

using Cxx = import "/capnp/c++.capnp";
using Lane = import "lane.capnp";
$Cxx.namespace("bothy::rpc");

struct HandedLane {
  # A lane for files whose Hello and Grant have been read, with its descriptor.  The worker says Welcome.
  number @0 :UInt64;
  # The agent's own: no two of a worker's have the same.
  grant @1 :Lane.Grant;
  generation @2 :UInt16;
  # What the Welcome says.
  bulk @3 :Bool;
  # It may have the kernel's large buffer.
  home @4 :Text;
  # Of the user, as passwd(5) has it now.
}

struct WorkerReport {
  # A lane has ended, and its descriptor is closed.  Nothing of it is to be believed but about the worker's own lanes: it runs as its user.
  #
  # That a lane was received is told by an eventfd, in which the worker counts them: nobody need wake for it.
  lane @0 :UInt64;
  breach @1 :Text;
  # What its client did that ended it; empty if nothing.
  counts @2 :Counts;
  # What was done over it.
  struct Counts {
    # See FileCounts of the agent.
    filesRead @0 :UInt64;
    filesWritten @1 :UInt64;
    bytesRead @2 :UInt64;
    bytesWritten @3 :UInt64;
    changes @4 :UInt64;
  }
}
