@0xb5d6b1a1c0f0a00d;
# Sessions: who may do what in a workspace, until when.  A back end makes them (`Supervisor.sessions`) and hands each one's token to whoever is
# to use it; what that one does with it is in session-gate.capnp.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bothy::rpc");
$Cxx.allowCancellation;

struct SessionRights {
  # What a session may do.  Each right is given by itself; nothing means none.  Who may do more than look (`terminals` to use, `exec`, `power`,
  # `files` to write) may wake a workspace that is paused or hibernated, by `wake` of Session.connect; to view terminals and to read files does not.

  terminals @0 :TerminalAccess;
  exec @1 :Bool;
  # Programs.  In an image whose user may become root (sudo), that is everything.
  files @2 :FileRight;
  # With the rights of the workspace's user.
  beneath @3 :Data;
  # If not empty: of `files`, in this directory alone, a path as `Files` has it, at most `maxBeneathBytes`.  Only with `files`.
  power @4 :Bool;
  # The machine as a whole: to start the workspace, which makes one that has expired anew, and over a lane to see how the machine is, power it off and reboot it.

  enum TerminalAccess {
    none @0;
    view @1;   # to look at
    use @2;    # to open, see, type into and end: all of the workspace
  }
  enum FileRight {
    none @0;
    read @1;
    write @2;  # and read
  }
}

struct SessionInfo {
  # One session.  Nothing in it helps to use it.

  id @0 :Text;
  # 32 hexadecimal digits.
  workspace @1 :Text;
  workspaceId @2 :Text;
  rights @3 :SessionRights;
  label @4 :Text;
  actor @5 :Text;
  createdNanos @6 :Int64;
  expiresNanos @7 :Int64;
  lastUsedNanos @8 :Int64;
  # Nanoseconds since 1970-01-01T00:00:00Z.  `lastUsedNanos`: when its token was redeemed last, to a minute; 0: never.
  ended @9 :SessionEnd;
  # Why it has ended, where it has; it is listed then until none of its lanes can be open.
}

enum SessionEnd {
  # Why a session has ended.

  none @0;              # it has not
  expired @1;
  revoked @2;
  workspaceDeleted @3;
}

interface Sessions {
  # Of all workspaces of a supervisor.  A session lives until it expires or is revoked, or its workspace is deleted: over restarts of the
  # supervisor, and whether anybody uses it or not.  A client that loses its connection redeems the token again.

  create @0 (request :Request) -> (outcome :CreateOutcome);
  # Makes a session, in whatever state the workspace is.

  struct Request {
    # What is asked for.

    workspace @0 :Text;
    # Its name.
    rights @1 :SessionRights;
    # At least one.
    lifetimeMillis @2 :UInt64;
    # From now on, 1 s to `maxSessionMillis`.
    label @3 :Text;
    # For people, at most `maxSessionLabelBytes`, without control characters.
    actor @4 :Text;
    # On whose behalf, as the platform names its users; at most `maxSessionActorBytes`, without control characters.  Lanes of one actor are
    # counted together (`maxActorLanes`), and people and logs see it.  Empty: nobody is named, and the session counts for itself.
    requestId @5 :Text;
    # If not empty (at most `maxRequestIdBytes`), makes the call repeatable for as long as the session lives: the same id with the same
    # request gives the same session, with another token, and the one that was given before is void; whoever has redeemed that keeps the
    # session.  With another request, `requestConflict`.  Such ids have nothing to do with those of `Supervisor.create`.
  }
  struct CreateOutcome {
    union {
      created :group {
        info @0 :SessionInfo;
        token @1 :Text;
        # "bothy_s_" and 72 hexadecimal digits: 256 random bits, and the first 32 of the SHA-256 of all before them, by which a text can be told
        # from a token.  Told here and never again; the supervisor keeps its SHA-256.  Whoever has it has the session.
      }
      absent @2 :Void;
      # There is no workspace of this name.
      invalid @3 :Text;
      # The request is refused: names the field, the value and the limit.
      tooManySessions @4 :List(SessionInfo);
      # The workspace has as many as it may (as its tier says, or without one `max-sessions` of the supervisor's settings): these.
      requestConflict @5 :Void;
      # The request id is another request's, or its session has ended and lanes of it could not be cut yet.
    }
  }

  list @1 (workspace :Text, after :Text, limit :UInt32) -> (sessions :List(SessionInfo), next :Text);
  # A page of the sessions of a workspace, by its name, or of all where it is empty, by their ids: those whose id is behind `after`; at
  # most `limit` of them, and never more than `maxListedSessions`; 0: that many.  `next`, if not empty, is the `after` of the next page.

  get @2 (id :Text) -> (outcome :GetOutcome);
  # What is known of one session.
  struct GetOutcome {
    union {
      found @0 :SessionInfo;
      absent @1 :Void;
    }
  }

  revoke @3 (which :SessionChoice) -> (outcome :RevokeOutcome);
  # Ends a session: when this returns, also by another outcome than `absent`, that is stored, its token is worth nothing, it starts no lane,
  # and the lanes that it got from this start of the supervisor are cut.  Lanes that it got before a restart end with the machine's vsock device, which is
  # replaced once after a restart, with all lanes of the machine (their clients ask for others); where the vsock is the kernel's, the workspace's agent is asked to close them, and believed.  A
  # call that is dropped revokes all the same.
  # Terminals are the workspace's and go on, and so do programs that were started with `keep`, for `processKeepMillis`: nobody hears or feeds them over this session.
  # They do not end with its lanes, because they may be others': sessions of a workspace share its programs, and one that another lane has had meanwhile
  # goes on for it.  Nor would it take anything from who held the session: what runs in the background (`nohup`, at(1)) goes on as well, so who wants an end of that
  # ends it, with `exec` or by a stop of the workspace.
  struct RevokeOutcome {
    union {
      revoked @0 :Void;
      # None of its lanes is open.
      absent @1 :Void;
      # There is no such session: it may have ended.
      ending @2 :Text;
      # Lanes that it got before a restart could not be cut yet: why, for people.  The machine gives nobody a lane before that is done; the supervisor goes on trying.
      # While the workspace is paused they may stay: nobody runs in it then, and they are cut when it is resumed.
    }
  }
}

struct SessionChoice {
  # Which session is meant.

  union {
    none @0 :Void;
    id @1 :Text;
    tokenHash @2 :Data;
    # SHA-256 of the 32 bytes that a token's first 64 digits stand for: of a token that was found somewhere, say.
  }
}

const maxSessionMillis :UInt64 = 31622400000;
# A session's life: 366 days.

const maxSessionLabelBytes :UInt32 = 128;

const maxSessionActorBytes :UInt32 = 64;

const maxListedSessions :UInt32 = 1000;
# Sessions in one page of Sessions.list.
