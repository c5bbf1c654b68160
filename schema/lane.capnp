@0xb5d6b1a1c0f0a00b;
# How a vsock connection becomes a lane: three messages on the bare stream, before any RPC.
#
#   host:  Hello     whoever dialled proves that it knows the secret of this boot
#   host:  Grant     what the connection is for, and what whoever gets it may do
#   agent: Welcome   it is served, or why not
#
# Each is one message in Cap'n Proto's stream framing, of at most `maxGreetingWords` (limits.capnp).  What follows Grant
# and Welcome is plain Cap'n Proto RPC: a client may send calls right behind the Grant.  A connection
# without a Hello within 5 seconds is closed; one that said it may wait for its Grant, `maxSpareLanes` of them at a time.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bothy::rpc");

struct Hello {
  generation @0 :UInt16;
  # The protocol generation of whoever dialled.
  secret @1 :Data;
  # Of this boot (fw_cfg `opt/bothy/secret`).
}

struct Grant {
  # What a lane may do.  A field only ever adds a right; one that is missing, or that the agent does not know,
  # means none.  A narrower right is a verb of its own, never a modifier of another.

  lane @0 :UInt64;
  # The host's number of this lane, above 0; no two of a machine have the same.
  purpose @1 :Purpose;
  session @2 :Text;
  # Who it belongs to, as the host names it: lanes of a session are counted and ended together.  At most
  # `maxLaneNameBytes`, and so is the actor.
  actor @3 :Text;
  # On whose behalf: lanes of an actor are counted together, and people and logs see it.
  verbs @4 :List(Verb);
  lifetime :union {
    none @5 :Void;
    # Refused: a lifetime is granted in words.
    unlimited @6 :Void;
    millis @7 :UInt64;
    # From the Grant's arrival on, by the guest's CLOCK_BOOTTIME.
  }
  user @8 :Text;
  # Of a `files` lane: whose rights it has.  Empty: the workspace's user.
  allLanes @9 :Bool;
  # `maxActorLanes` and `keptLanes` do not count for it.
  beneath @10 :Data;
  # Of the verbs that end in `Beneath`: the directory, a path as `Files` has it, of at most `maxBeneathBytes`.  It is looked up once, with
  # the rights of the user; where it is moved later, the lane goes with it.
}

enum Purpose {
  # What flows on a lane, so that bulk data does not hold up keystrokes.  It decides which capability the lane
  # begins with.

  none @0;
  control @1;      # `AgentControl`: the supervisor's own, of which a machine has one: a new one ends the old
  interactive @2;  # `Agent`
  commands @3;     # `Agent`
  files @4;        # `Files`
}

enum Verb {
  # A right.  What a purpose does not offer, a verb does not add to it.

  none @0;
  machine @1;         # Agent.system
  terminals @2;       # Agent.terminals: all terminals, to open, see, type into and end
  viewTerminals @3;   # Agent.terminals as `Terminals.view` has them: to look at; by agents of generation `statefulTerminals` on
  programs @4;        # Agent.processes
  readFiles @5;
  writeFiles @6;
  readBeneath @7;     # as readFiles, in the directory `beneath` alone, which is the lane's "/": whatever leads out of it is refused
  writeBeneath @8;    # as writeFiles; neither is a right beside readFiles or writeFiles, nor without `beneath`
  control @9;         # AgentControl
}

struct Welcome {
  union {
    refused @0 :Refusal;
    # The last that is said on the connection.
    generation @1 :UInt16;
    # The lane is served.  The smaller of both sides' generations: what is spoken from here on.
  }
  oldest @2 :UInt16;
  # With `generationTooOld`: the oldest that this agent serves.
}

enum Refusal {
  none @0;
  wrongSecret @1;
  generationTooOld @2;
  nothingGranted @3;   # no right that this agent knows and that the purpose offers, or no lifetime
  tooManyLanes @4;     # of the machine (`maxLanes`, `keptLanes`), of the session or of the actor
  noSuchUser @5;
  notUnderstood @6;    # a text or a number that is not as described above
  unavailable @7;      # files of this user cannot be served now: a file system hangs that was asked for, or files of many users are: ask later
  noSuchDirectory @8;  # what the lane would be beneath is no directory, or the user may not enter it
}
