@0xb5d6b1a1c0f0a004;
# Pseudo-terminals that outlive their viewers.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bothy::rpc");
$Cxx.allowCancellation;

using Process = import "process.capnp";
using Stream = import "stream.capnp";

struct WindowSize {
  # In characters; pixels are 0 where unknown.  Rows and columns 1..4096: FAILED otherwise.
  columns @0 :UInt16;
  rows @1 :UInt16;
  widthPixels @2 :UInt16;
  heightPixels @3 :UInt16;
}

struct TerminalInfo {
  id @0 :UInt64;
  # Names the terminal within one boot of the workspace; never used twice in it.
  title @1 :Text;
  # The command, for people: guest data, escape before showing.
  size @2 :WindowSize;
  viewers @3 :UInt32;
  running @4 :Bool;
  # False once the program has ended; see Terminals on how long such a terminal stays.
  pid @5 :UInt32;
  produced @6 :UInt64;
  # Bytes of output since the start: the sequence number of the next byte.
  shownTitle @7 :Text;
  # The title that the program has set last (OSC 0, 2); see TerminalViewer.titled.
  directory @8 :Text;
  # The directory that it has named last (OSC 7); see TerminalViewer.moved.
}

interface Terminals {
  # A terminal lives until its program has ended, until `close`, or until the workspace stops: never by a lost connection.  Of the
  # terminals that have ended the last 16 are kept, with their scrollback, whoever was told of their end; `close` forgets one
  # before.
  #
  # Whoever holds the capability of a terminal that is over may still attach to it and ask how it ended.  Of such terminals
  # the last 16 have their scrollback (1 MiB each at most); of an earlier one a `gap` tells what was lost, and then comes
  # `exited`.  A viewer that was attached in time gets all that is kept, however slow it is: until then its terminal counts among
  # `maxTerminals`.

  open @0 (command :Process.Command, size :WindowSize, term :Text, requestId :Text)
      -> (terminal :Terminal, id :UInt64, outcome :OpenOutcome);
  # Starts a program on a new terminal, as leader of a session of its own; `limitReached` above `maxTerminals`.  An empty
  # argv: the user's login shell.  `term` is the client's TERM; where the workspace has no terminfo for it, and where it
  # is empty, xterm-256color is set.  The first instruction of the program sees `size`.  Where the user's home cannot be
  # entered the first line of the output says so.  `timeoutMillis` of the command counts from the start, whoever looks.
  #
  # `requestId` makes the call repeatable for a caller whose connection broke before the answer came.  The caller makes
  # it, at random; at most `maxRequestIdBytes`.  The first open with an id starts the program.  If that call is cancelled, the
  # start is completed all the same, and the terminal is there as any other.  A later open with the same id, over whatever
  # connection, starts nothing and looks at nothing else: it waits for that start and returns its terminal.
  # The agent remembers an id as long as `get` finds its terminal and `requestMemoryMillis` longer, and that of a start
  # that failed for `requestMemoryMillis`; of the ids without a terminal at most the last `maxRememberedRequests`.  It forgets
  # all of them with the boot: a caller repeats a call only while the machine is the same (`WorkspaceInfo.startedNanos`).
  # An agent that does not know request ids opens another terminal: where its Welcome says less than `requestIdsOfTerminals` the
  # call is not repeated.

  struct OpenOutcome {
    union {
      opened @0 :Void;
      failed @1 :Process.StartFailure;
      gone @2 :Void;
      # The terminal of this request id was opened, and `get` would not find it any more.
    }
  }

  list @1 () -> (terminals :List(TerminalInfo));
  # At most `maxTerminals` and the ended ones that are kept.

  get @2 (id :UInt64) -> (terminal :Terminal, outcome :GetOutcome);
  # The way back to a terminal after a lost connection.  `terminal` is null if it is absent; `attach` may be
  # pipelined on it.

  struct GetOutcome {
    union {
      found @0 :Void;
      absent @1 :Void;
    }
  }

  view @3 () -> (terminals :Terminals);
  # The same terminals, to look at and nothing else: what a lane has that was granted `viewTerminals` alone.  Whatever is got by this
  # opens, ends, signals and resizes nothing and puts no byte on a terminal: `open`, `signal`, `close`, `attach` with a size,
  # `Attachment.write` and `resize` fail with FAILED.  Its viewers do not set the pace: one that lags behind the scrollback has a gap, whoever
  # else looks, and the program goes on as if they were not there.  At most `maxOnlookers` of a terminal's viewers are such.
}

interface Terminal {
  # Dropping this capability changes nothing for the terminal.

  attach @0 (from :Position, output :TerminalViewer, size :OptionalSize, redrawsGaps :Bool)
      -> (attachment :Attachment, next :UInt64);
  # Delivers output to `output`, beginning at `from`, for as long as `attachment` is held.  `size`, if
  # given, is the size that this viewer wants: as if it had typed something, it is applied before the first byte is sent, see
  # `Attachment.write`.  `next` is the sequence number of the first byte that will be sent, where that is known.
  # OVERLOADED above `maxViewers`.  With `redrawsGaps` each gap leads up to a `redraw`, which follows it.
  #
  # Pace: the fastest viewer sets it.  A viewer that lags behind it by more than the scrollback gets a
  # `gap`.  A single viewer never has a gap while attached, for the program is held back instead, unless it is behind by more than the
  # machine can keep for it beside what others have yet to take.  With no
  # viewer the program is not held back for anybody's sake; but all terminals that nobody watches together write
  # `unwatchedBytesPerSecond` at most.

  struct Position {
    union {
      oldest @0 :Void;      # all that the scrollback still has
      sequence @1 :UInt64;  # this byte; a `gap` tells first what the scrollback has lost since.  FAILED if not yet produced
      now @2 :Void;         # only what comes
      screen @3 :Void;      # what the terminal shows, as a `redraw`, and then what comes; as with `redrawsGaps`.  `next` is 0
    }
  }

  struct OptionalSize {
    # A window size, or that it stays as it is.

    union {
      unchanged @0 :Void;
      size @1 :WindowSize;
    }
  }

  obsoleteWrite @1 (data :Data) -> stream;
  obsoleteResize @2 (size :WindowSize) -> ();
  # Input and size are an attachment's since generation `statefulTerminals`: who typed last decides the size, which needs to
  # know who types.  Both fail with UNIMPLEMENTED.

  signal @3 (number :UInt8) -> (delivered :Bool);
  # To the foreground process group.

  wait @4 () -> (status :Process.ExitStatus);
  # Returns when the program has ended, and its output is all in the scrollback.  Changes nothing, and may be called any number of times.

  close @5 () -> ();
  # Hangs up: SIGHUP and SIGTERM to the whole session's tree, `killGraceMillis` later SIGKILL.  Returns
  # when no process of it is left.  The terminal is forgotten then, also where its program had ended before.

  info @6 () -> (info :TerminalInfo);
  # As of now.
}

interface TerminalViewer {
  # Implemented by whoever looks at a terminal.  Calls come in the order of the events.

  output @0 (sequence :UInt64, data :Data) -> stream;
  # `data` begins at byte `sequence` of the output.  No byte is sent twice to one attachment.

  gap @1 (sequence :UInt64, lost :UInt64) -> ();
  # The bytes sequence .. sequence+lost-1 are gone.
  # The agent sends no output() or redraw() before this has returned; one that comes before ends the attachment with DISCONNECTED.

  redraw @4 (sequence :UInt64, size :WindowSize, data :Data, isLast :Bool) -> stream;
  # What the terminal shows, instead of the bytes before `sequence`, with which `output` goes on.  `data` are escape sequences: they
  # bring a terminal like xterm, of `size` and in whatever state, to the same screen (the main one and the other, cursor, looks, margins, modes,
  # encodings of keys, tab stops, title), and ask it for nothing.  Comes in pieces of at most 32 KiB, the last with `isLast`, of which
  # nothing else comes between.  At most 2 MiB in all.
  #
  # Cells are kept of screens of up to 131,072 of them, while those of all terminals together fit a 32nd of the machine's memory (8 MiB at
  # least, 64 at most).  Of others the redraw has all but the cells: it shows an empty screen.

  resized @2 (size :WindowSize) -> ();
  # The size has changed, by whomever.

  titled @5 (title :Text) -> ();
  # The program has set this title: guest data of at most 256 bytes, one line of UTF-8 without control characters; escape before showing.
  # Who attaches to a terminal that has one is told it.
  #
  # `titled`, `moved` and `rang` come as soon as the agent has read the output, which may be before that is sent, and one at a time: of
  # several titles that came meanwhile the last is told.  A viewer that does not know them misses nothing else.

  moved @7 (directory :Text) -> ();
  # The program, a shell as a rule, has named the directory that it is in: an absolute path of this machine, as `titled` of at most 1024
  # bytes.  Empty: it has named one of another machine, or none.  Who attaches is told it.

  rang @6 () -> ();
  # The bell, once or more often.

  exited @3 (status :Process.ExitStatus) -> ();
  # The last call: comes after the last byte.
}

interface Attachment extends (Stream.Handle) {
  # One viewer, as the terminal knows it.  Dropping it detaches the viewer.

  write @0 (data :Data) -> stream;
  # Input, as typed.  At most `maxChunkBytes`.  Held back while the terminal's input queue is full;
  # then the program is not reading.  Bytes of one call are never mixed with another's.  What was on its way
  # when a connection was lost may be gone: say nothing twice without a look at the output.
  #
  # Who typed last decides the size: before the bytes are taken, the terminal gets the size that this viewer wants, where it has told one
  # and another was in force.  When the viewer that decides detaches, that one of the others does who typed, or came, last of those who
  # told one.

  resize @1 (size :WindowSize) -> ();
  # The size that this viewer wants from now on.  Applied at once where it decides, or nobody else who is attached does; else when it
  # types.  The program gets SIGWINCH if the size has changed, and the other viewers are told (`resized`).
}
