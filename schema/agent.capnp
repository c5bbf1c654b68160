@0xb5d6b1a1c0f0a007;
# What the agent, PID 1 of a workspace's machine, offers on each vsock connection.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bothy::rpc");
$Cxx.allowCancellation;

using Files = import "files.capnp";
using Process = import "process.capnp";
using System = import "system.capnp";
using Terminal = import "terminal.capnp";

interface AgentGate {
  # The bootstrap capability of a connection: all that a peer has before it proved itself.

  hello @0 (generation :UInt16, secret :Data) -> (outcome :HelloOutcome);
  # The first call on every connection.  `secret` is the per-boot secret (fw_cfg `opt/bothy/secret`).
  # Any failure is the last thing said on the connection: the agent closes it after the answer.  A
  # connection without a successful hello within 5 seconds is closed.

  struct HelloOutcome {
    union {
      welcome :group {
        agent @0 :Agent;
        generation @1 :UInt16;
        # The smaller of both: what is spoken from here on.
      }
      wrongSecret @2 :Void;
      generationTooOld @3 :UInt16;
      # The caller's is older than the oldest that this agent serves, which is named.
    }
  }
}

interface Agent {
  # A workspace's machine.  The host opens several connections ("lanes") so that bulk data on one does
  # not delay keystrokes on another: a capability belongs to the lane it came over.  All lanes show
  # the same terminals.

  terminals @0 () -> (terminals :Terminal.Terminals);
  processes @1 () -> (processes :Process.Processes);
  files @2 (user :Text) -> (files :Files.Files);
  # Beneath "/", with the rights of `user` (empty: the workspace's user).  FAILED if there is no such user.
  system @3 () -> (system :System.System);
  ping @4 () -> ();
  # Answers at once.
}
