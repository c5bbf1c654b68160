@0xd2c1a57ce2f4b6a1;
# What bothy prints with --json: one value a line on standard output, as Cap'n Proto's JSON mapping has it (integers
# of 64 bits are strings, enumerants their names, what is not given is left out).  Fields may be added.  What is
# counted, as bytes are, and may pass 32 bits is a Float64: a number in JSON too, and exact up to 2^53.
#
# A member without a value (Void) is `true` where it is given.
#
# `create`, `start`, `resize`, `pause`, `hibernate`, `resume` and `expire` print a WorkspaceInfo (workspace.capnp), `setup` a SetupInfo (setup.capnp), `why` and
# `idle` a Wakefulness and `wake --for` an AwakeReason (activity.capnp); `events` prints an Event (supervisor.capnp) a line; a command that fails prints a
# Failure.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bothy::result");

using ActivityTypes = import "/schema/activity.capnp";
using Json = import "/capnp/compat/json.capnp";
using CapacityTypes = import "/schema/capacity.capnp";
using MeteringTypes = import "/schema/metering.capnp";
using ProcessTypes = import "/schema/process.capnp";
using SessionTypes = import "/schema/session.capnp";
using SupervisorTypes = import "/schema/supervisor.capnp";
using TerminalTypes = import "/schema/terminal.capnp";
using TierTypes = import "/schema/tier.capnp";
using UserTypes = import "/schema/user.capnp";
using WorkspaceTypes = import "/schema/workspace.capnp";

struct Failure {
  # What any command prints that could not do its part.

  error @0 :Text;
  # What happened and what to do, for people.
  exitCode @1 :UInt8;
  # What bothy exits with.
}

struct Workspaces {
  # `bothy ls`: all of them, by name; `bothy user ls`: by user.

  workspaces @0 :List(WorkspaceTypes.WorkspaceInfo);
}

struct Terminals {
  # `bothy shell --list`.

  terminals @0 :List(TerminalTypes.TerminalInfo);
}

struct Executed {
  # `bothy exec`, when the command has ended: {"usage":{...},"exited":0,"stdout":"...","stderr":"..."}.

  status @0 :ProcessTypes.ExitStatus $Json.flatten();
  stdout @1 :Output $Json.flatten(prefix = "stdout");
  stderr @2 :Output $Json.flatten(prefix = "stderr");

  struct Output {
    # What the command wrote, in one of two forms.  The members' names follow the stream's.

    text @0 :Text $Json.name("");
    base64 @1 :Data $Json.name("Base64") $Json.base64;
    # Where it is no UTF-8.
    cut @2 :Cut $Json.flatten();
    # Where it is not all that was written.
  }
  struct Cut {
    truncated @0 :Bool $Json.name("Truncated");
    # True.
    bytes @1 :Float64 $Json.name("Bytes");
    # All that were written.
  }
}

struct Copied {
  # `bothy cp`, unless the copy went to standard output.

  bytes @0 :Float64;
  # Contents of files.
  entries @1 :Float64;
  skipped @2 :Float64;
  # Devices, FIFOs and sockets that were left out.
  millis @3 :Float64;
  # How long it took.
}

struct Tiers {
  # `bothy tier ls`.

  tiers @0 :List(TierTypes.Tier);
}

struct HostCapacity {
  # `bothy capacity`.

  capacity @0 :CapacityTypes.Capacity;
}

struct UsageSums {
  # `bothy usage`.

  usage @0 :List(MeteringTypes.UsageRecord);
  # A sum of each workspace, or with `--by day` or `--by hour` of each such time.  Their numbers are 0.
}

struct Examination {
  # `bothy doctor`.

  findings @0 :List(SupervisorTypes.Finding);
}

struct SessionMade {
  # `bothy session create`.

  info @0 :SessionTypes.SessionInfo;
  token @1 :Text;
  # Is told here and never again.
}

struct SessionList {
  # `bothy session ls`.

  sessions @0 :List(SessionTypes.SessionInfo);
}

struct SessionRevoked {
  # `bothy session revoke`.

  revoked @0 :Text;
  # Its id.
}

struct WakeLocks {
  # `bothy wake NAME`.

  locks @0 :List(ActivityTypes.AwakeReason);
}

struct WakeLockReleased {
  # `bothy wake --release`.

  released @0 :Text;
  # Its id.
}

struct Stopped {
  # `bothy stop`.

  stopped @0 :SupervisorTypes.Supervisor.StopKind;
}

struct Deleted {
  # `bothy rm` and `bothy user rm`.

  deleted @0 :List(Text);
  # Names of the workspaces that are gone, in the order in which they were given.
}

struct UserEnsured {
  # `bothy user ensure`.

  workspace @0 :WorkspaceTypes.WorkspaceInfo;
  done @1 :UserTypes.Users.Done;
}

struct Versions {
  # `bothy version`.

  client @0 :Client;
  server @1 :Server;

  struct Client {
    # This program.

    version @0 :Text;
    generation @1 :UInt16;
    # Of the protocol.
  }
  struct Server {
    # bothyd, as `Supervisor.version` tells it.

    version @0 :Text;
    generation @1 :UInt16;
    accelerator @2 :Text;
    vsock @3 :Text;
  }
}
