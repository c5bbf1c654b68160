@0xb5d6b1a1c0f0a0ac;
# What keeps workspaces awake, and what becomes of those that nobody uses.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bothy::rpc");
$Cxx.allowCancellation;

using WorkspaceTypes = import "workspace.capnp";

interface WorkspaceActivity {
  # Of all workspaces of a supervisor (`Supervisor.activity`).
  #
  # A workspace that runs is in use as long as somebody is connected to it, and while a wake lock holds; what its guest alone says (that somebody
  # types, that programs run) counts too, for a time.  When nothing has kept it awake for as long as its policy says, it is paused: an event with the
  # cause `idleWarning` comes before, and those of the pause have the cause `idle`.  `connect` with `wake` wakes it.  Neither the use of its
  # processors counts, nor lanes by which one can only look (`viewTerminals`) or see how the machine is (`machine`).
  #
  # One that stays paused, whoever has paused it, is hibernated after a time, and one that stays hibernated expires: its disk is destroyed, and an event
  # `idleWarning` comes days before.  `connect` with `wake` still makes it run, with an empty disk.  A wake lock puts both off.  What is stopped stays so.

  why @0 (workspace :Text) -> (outcome :WhyOutcome);
  # What keeps it awake at this moment, or which rule has put it to sleep, and what comes next.  Answers within about 5 seconds.
  struct WhyOutcome {
    union {
      found @0 :Wakefulness;
      absent @1 :Void;
    }
  }

  keepAwake @1 (workspace :Text, forMillis :UInt64, reason :Text) -> (outcome :KeepAwakeOutcome);
  # Takes a wake lock, in whatever state the workspace is; starts and resumes nothing.  It is stored, and holds over restarts of
  # the supervisor and of the workspace until its time is over or somebody releases it.
  struct KeepAwakeOutcome {
    union {
      taken @0 :AwakeReason;
      absent @1 :Void;
      invalid @2 :Text;
      # The time is not from 1 s to `maxWakeMillis`, or the reason is no text of at most `maxWakeReasonBytes`: which, and the limit.
      tooMany @3 :Void;
      # It has `maxWakeLocks`.
    }
  }

  release @2 (workspace :Text, id :Text) -> (released :Bool);
  # Ends a wake lock before its time; false: the workspace has none with this id.

  changePolicy @3 (workspace :Text, changes :List(FigureChange)) -> (outcome :ChangePolicyOutcome);
  # Gives the workspace figures of its own in the place of its tier's, or its tier's again.  They hold at once and stay until they are changed.
  # Where it is to be paused earlier for that, it is warned of as ever: nothing is done within `warnBefore` and `sessionGrace` of the change, nor
  # of one of its tier.
  struct ChangePolicyOutcome {
    union {
      changed @0 :Wakefulness;
      absent @1 :Void;
      invalid @2 :Text;
      # Names the figure, its value and the limit; nothing was changed.
    }
  }
}

struct Wakefulness {
  # Why a workspace is awake, or not.  Times are nanoseconds since 1970-01-01T00:00:00Z; 0: none.

  state @0 :WorkspaceTypes.WorkspaceState;
  reasons @1 :List(AwakeReason);
  idleNanos @2 :Int64;
  # Of one that runs: when it was used last.  0: it is in use.
  next :union {
    none @3 :Void;
    # Nothing comes, or not as long as it is in use.
    step :group {
      # This, unless it is used meanwhile.
      rule @4 :IdleRule;
      atNanos @5 :Int64;
      isWarned @6 :Bool;
      # The event with the cause `idleWarning` has been.
      failure @12 :Text;
      # Why the last try came to nothing, one line for people; empty if none did.
    }
  }
  past :union {
    none @7 :Void;
    step :group {
      # It is as it is because of this, or is just becoming so (`state` `pausing`).
      rule @8 :IdleRule;
      atNanos @9 :Int64;
    }
  }
  policy @10 :IdlePolicy;
  # What holds for it.
  own @11 :List(IdleFigure);
  # Those figures that are its own, and not its tier's.
}

struct AwakeReason {
  # What keeps a workspace awake.

  kind @0 :Kind;
  enum Kind {
    none @0;
    session @1;        # somebody is connected: `who` is the session of the lane, `detail` the actor
    grace @2;          # the last connection is lost, and its session has not ended yet
    wakeLock @3;       # `who` has taken it, `detail` says why
    input @4;          # somebody has typed into a terminal, as the guest says
    commands @5;       # programs of `Processes.exec` run, or a set-up step does, `detail` of them, as the guest says
    earlierLanes @6;   # connections from before a restart of the supervisor, `detail` of them, as the guest says
    noAnswer @7;       # the guest does not answer, and may be busy
    guestLock @8;      # programs of the guest hold wake locks (`bothy-wake`), as the guest says: of the one that ends last `who` is its user, `detail` what for
    settingUp @9;      # its set-up steps are being done, as the guest says: whatever the policy counts
  }
  id @1 :Text;
  # Of a wake lock.
  who @2 :Text;
  detail @3 :Text;
  # Texts of clients: escape before showing.
  sinceNanos @4 :Int64;
  untilNanos @5 :Int64;
  # When it ends, or does not count any more; 0: that is not known.
  counts @6 :Bool = true;
  # Whether it keeps the workspace awake, by its policy.
}

enum IdleRule {
  none @0;
  pause @1;
  hibernate @2;
  expire @3;
}

struct IdlePolicy {
  # What counts as use, and what becomes of a workspace without.  Times in seconds.

  pauseAfter @0 :UInt32;
  # So long after its last use it is paused; 0: never.
  warnBefore @1 :UInt32;
  # So long before there is an event with the cause `idleWarning`; 0: none.
  hibernateAfter @2 :UInt32;
  # So long after its pause it is hibernated; 0: never.
  expireAfter @3 :UInt32;
  # So long after its hibernation it expires; 0: never.
  warnExpiry @4 :UInt32;
  # So long before, at the latest at its hibernation, there is an event with the cause `idleWarning`, and it does not expire before that has been so long
  # ago; 0: none.
  sessionGrace @5 :UInt32;
  # So long a session has not ended that has lost its last connection.
  mostGuestWake @6 :UInt32;
  # What the guest alone says keeps it awake for so long at most, from the last use that the supervisor knows of by itself.
  countSessions @7 :Bool;
  countInput @8 :Bool;
  countCommands @9 :Bool;
  countWakeLocks @10 :Bool;
  # Whether each keeps it awake.
}

enum IdleFigure {
  pauseAfter @0;
  warnBefore @1;
  hibernateAfter @2;
  expireAfter @3;
  warnExpiry @4;
  sessionGrace @5;
  mostGuestWake @6;
  countSessions @7;
  countInput @8;
  countCommands @9;
  countWakeLocks @10;
}

struct FigureChange {
  figure @0 :IdleFigure;
  union {
    asTier @1 :Void;
    # As its tier has it.
    value @2 :UInt32;
    # In seconds, at most `maxIdleSeconds`; of what counts 0 or 1.
  }
}

const maxWakeMillis :UInt64 = 2592000000;
# Of a wake lock: 30 days.

const maxWakeLocks :UInt32 = 16;
# Of a workspace at a time.

const maxWakeReasonBytes :UInt32 = 128;

const maxIdleSeconds :UInt32 = 31622400;
# Of a policy: 366 days.
