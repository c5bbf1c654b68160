@0xb5d6b1a1c0f0a00e;
# What the supervisor offers on the socket of sessions (`session-socket`): to whoever holds a token, and nothing without one.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bothy::rpc");
$Cxx.allowCancellation;

using SessionTypes = import "session.capnp";
using SupervisorTypes = import "supervisor.capnp";
using WorkspaceTypes = import "workspace.capnp";

interface SessionGate {
  # The bootstrap capability of a connection.

  redeem @0 (token :Text) -> (session :Session, outcome :RedeemOutcome);
  # The session of a token; null unless `redeemed`.  Any number of times, by any number of clients.
  struct RedeemOutcome {
    union {
      redeemed @0 :SessionTypes.SessionInfo;
      refused @1 :Void;
      # It is the token of no session.  What was never one, what has expired or was revoked, and what is no token at all are told alike, and
      # not before `redeemRefusalMillis`; one user is refused `maxRefusalsPerSecond` in a second, and where `maxWaitingRefusals` of his wait, the next
      # fails with OVERLOADED.
    }
  }
}

interface Session {
  # What a token stands for.  Dropping it, or the connection, ends the lanes that came over it, and not the session.

  info @0 () -> (info :SessionTypes.SessionInfo);
  # What it is, and whether it has ended.

  connect @1 (wanted :SupervisorTypes.LaneRequest, wake :Bool, progress :SupervisorTypes.Progress) -> (lane :SupervisorTypes.Lane, outcome :SupervisorTypes.Supervisor.ConnectOutcome);
  # As Supervisor.connect of the session's workspace; `notAllowed` where the session has not the right that the lane is for, and `absent` where
  # the session has ended.  Over a lane that is wanted for terminals or for programs, the machine as a whole is there with the right `power`
  # alone.  A session for a directory gets `files` of it as `filesBeneath` of that directory, and no other.  The lane ends with the session,
  # whatever its own lifetime: `whenEnded` of it says `expired`, `revoked` or `stopped` then.
  #
  # `wake` is for a session that may do more than look: that has `terminals` to use, `exec`, `power` or `files` to write.  With the rights to view
  # terminals and to read files alone it is ignored: such a session is told `notRunning`, and hears from `state` when to ask again.  One that ends
  # while its workspace wakes is told `absent` at once; the workspace wakes all the same.  One that has expired is made anew for a session with
  # `power`, for others it is `notRunning`.
  #
  # Of the workspace a session is not told whose it is, its labels and its host.  What set-up steps are called and say is told where it has a
  # right to terminals or to programs; others hear how many are done, and whether one has failed.

  state @2 (isOther :Bool, than :WorkspaceTypes.WorkspaceState) -> (outcome :StateOutcome);
  # The state of the workspace; with `isOther` as soon as it is another than `than`.  Of the calls that wait, here and in `whenEnded`, a
  # client may have 64 and its user 256: one more fails with OVERLOADED.
  struct StateOutcome {
    union {
      state @0 :WorkspaceTypes.WorkspaceState;
      ended @1 :SessionTypes.SessionEnd;
    }
  }

  start @3 (progress :SupervisorTypes.Progress) -> (outcome :StartOutcome);
  # As Supervisor.start of the session's workspace.
  struct StartOutcome {
    union {
      start @0 :SupervisorTypes.Supervisor.StartOutcome;
      notAllowed @1 :Text;
      # The session has not the right `power`: that, for people.
      ended @2 :SessionTypes.SessionEnd;
      # `revoked` also where that is still being stored.
    }
  }

  whenEnded @4 () -> (reason :SessionTypes.SessionEnd);
  # Returns when the session has ended.  A call that waits counts as one of `state` that does.
}

const redeemRefusalMillis :UInt32 = 100;

const maxRefusalsPerSecond :UInt32 = 10;

const maxWaitingRefusals :UInt32 = 64;
