@0xb5d6b1a1c0f0a003;
# Commands run in a workspace, without a terminal.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bothy::rpc");
$Cxx.allowCancellation;

using Stream = import "stream.capnp";

struct EnvironmentVariable {
  name @0 :Text;
  # Not empty, without "=" and NUL.
  value @1 :Text;
}

struct Command {
  # What to run.  No shell is involved: `argv` reaches execve(2) as it is.  The one exception is that of execvp(3), and so
  # of env(1), sudo(8) and ssh(1): a text file without "#!" is run by /bin/sh.

  argv @0 :List(Text);
  # argv[0] is the program: a path if it has a "/", else it is looked up in PATH of the environment that
  # the program gets.  At least one element.  The guest's kernel takes 128 KiB a text, and a quarter of the limit of the
  # stack (so 2 MiB) in all; see `argumentsTooLong`.

  environment @1 :List(EnvironmentVariable);
  # Added to the login environment of the user (PATH, LANG, HOME, USER, LOGNAME, SHELL, XDG_RUNTIME_DIR, and what
  # /etc/environment and /etc/default/locale say); a name given here replaces the login's.  No start-up file of a shell
  # is read.  The time zone is that of /etc/localtime.

  workingDirectory @2 :Text;
  # Absolute.  Empty: the user's home; where that cannot be entered the program runs in "/", as login(1) does it, with
  # HOME=/ unless `environment` says otherwise.

  user @3 :Text;
  # Name or number of a user in the workspace.  Empty: the workspace's user, `user`.

  timeoutMillis @4 :UInt64;
  # Unless 0: the whole tree is ended as by `Process.end` if the program still runs after this time, and its status is
  # `timedOut`.
}

struct Usage {
  # What a program and all that it started have taken until it ended; what of them lives on takes more.

  cpuMicros @0 :UInt64;
  # CPU time of all of them, in microseconds.

  memoryPeakBytes @1 :UInt64;
  # The most memory that they had at one time, with that of the files that they were the first to read.

  outOfMemory @2 :UInt32;
  # So many of them the kernel has ended for want of memory.
}

struct ExitStatus {
  union {
    exited @0 :UInt8;
    # Ended by itself with this code.

    killed @1 :UInt8;
    # Ended by this signal (signal(7)).

    lost @2 :Void;
    # The agent could not learn how it ended.

    timedOut @3 :Void;
    # Its `timeoutMillis` were over, and it was ended for that, however it took it.  With `wait` of Process: no member
    # of its tree was left, unless `detached` says so.
  }

  usage @4 :Usage;
  # Null: not known, since the machine has no control groups, or the agent is an older one.  A program that was `killed` by
  # signal 9 and has `outOfMemory` above 0 ran out of memory.
}

struct StartFailure {
  # Why no program runs.  Nothing was left behind.

  reason @0 :Reason;
  enum Reason {
    other @0;                 # see `errorNumber`
    programNotFound @1;       # ENOENT, or not in PATH
    programNotExecutable @2;  # EACCES, EISDIR (a directory), ENOEXEC (no program, or another processor's), ETXTBSY, …
    workingDirectoryMissing @3;
    noSuchUser @4;
    invalidCommand @5;        # empty argv, NUL in a text, a PATH of too many directories for so long a name
    limitReached @6;          # `maxProcesses` or `maxTerminals`, or the kernel's EAGAIN/ENOMEM; or programs that are about to
                              # start, those that hang at their working directory among them, hold as much memory of the
                              # agent's as they may (32 MiB): the subject is "maxStartingBytes"; or the user has held up the
                              # agent again less than a minute ago: the subject is `userHeldUpAgent`; or what the user's programs
                              # have started and left running is in as many control groups as one user may have (1,536 of a
                              # user alone, three quarters of what others leave): "maxUserPrograms", and not for terminals
    machineEnding @7;         # the machine powers off or reboots
    interpreterUnusable @8;   # the program is there; what its "#!" line or its ELF header names (`detail`) is not, or may
                              # not be executed (EACCES)
    argumentsTooLong @9;      # E2BIG, or over `maxArgumentBytes`: `bytes` and `limitBytes`
    workingDirectoryUnusable @10;  # it is there, but cannot be entered: `errorNumber`
  }

  subject @1 :Text;
  # What it is about: the program, the directory, the user, the limit's name.

  errorNumber @2 :Int32;
  # errno of the failed call in the guest, 0 if none failed.

  detail @3 :Text;
  # interpreterUnusable: the interpreter as the file names it, where it ends in a carriage return with that.
  # programNotExecutable with ENOEXEC: the processor that the program is for, if it is known to be another.

  bytes @4 :UInt64;
  # argumentsTooLong: the size of what is too long, one text or all of them together, as execve(2) counts it: each with
  # its NUL, and all of them with 8 bytes a text.

  limitBytes @5 :UInt64;
  # argumentsTooLong: the most that `bytes` may be.
}

enum SignalScope {
  leader @0;
  # The started process alone.
  tree @1;
  # Every process it has started and that still lives, also double-forked ones.
}

interface Processes {
  # Starts programs.  Held by whoever may run code in the workspace.  A program whose `wait` is under way takes one of the
  # `maxLaneAnswers` of its lane.

  exec @0 (command :Command, stdout :Stream.ByteSink, stderr :Stream.ByteSink, keep :Bool = false,
           requestId :Text, attempt :UInt32, stdoutFrom :UInt64, stderrFrom :UInt64, noStdin :Bool = false)
      -> (process :Process, stdin :Stream.ByteSink, outcome :ExecOutcome, id :UInt64, stdinReceived :UInt64);
  # Starts `command` and returns as soon as execve(2) succeeded or failed.  Callers who want one round
  # trip pipeline `wait` on `process` (and `end` on `stdin`) before it returned; if nothing was started,
  # both are null and what was pipelined fails, while `outcome` says why.
  #
  # Output goes to `stdout` and `stderr` as it comes; a slow sink stops the program at its next write
  # once its pipe is full, nothing is buffered beyond that.  A null sink is /dev/null.  Each sink gets
  # `end` once, when no more output of the program will come (see Process.wait), before `wait` returns.
  #
  # `stdin` is the program's standard input.  `end` closes it; so does dropping it.  Writing after the
  # program closed its standard input or ended fails with DISCONNECTED.
  #
  # `noStdin`: the program's standard input is /dev/null, which costs no pipe, and `stdin` is null.  An agent that does not
  # know this gives a `stdin` nonetheless: whoever gets one calls `end` on it, or the program would wait for input.
  #
  # `keep`: the program outlives what its caller holds of it by `processKeepMillis`, so that one whose
  # connection broke can have it back by `reattach` and `id` (random, 0 without `keep`).  Until then dropping
  # `process` or `stdin` changes nothing, and a sink that is gone stops the program once its pipe is full;
  # `Process.end` ends it.  It costs memory of the agent: of each output as much as it had, at most 512 KiB.  All that is
  # kept of outputs in a workspace, of terminals too, is bounded together (a 32nd of its memory, 16 MiB at least): over it less is kept of each.
  #
  # `requestId` makes the call repeatable for a caller whose connection broke before the answer came.  The caller makes
  # it, at random, because whoever knows it can have the program; at most `maxRequestIdBytes`, and only with `keep`.
  # The first exec with an id starts the program.  If that call is cancelled, the start is completed all the same, and the
  # program waits for its caller as every kept one does.  Any later exec with the same id, over whatever connection, starts
  # nothing and does not look at `command` and `noStdin`: it waits for that start, returns its outcome, and gets the program as
  # `reattach` would, with the output from byte `stdoutFrom` and `stderrFrom` on (0 for a caller that had none)
  # and `stdinReceived`.  `attempt` counts the caller's calls, of exec and of reattach: one that is overtaken on its way by a
  # later one does not take the program away from it, but ends with FAILED.
  # The agent remembers an id as long as its program can be had and `requestMemoryMillis` longer, and that of a start
  # that failed for `requestMemoryMillis`; of the ids without a program at most the last `maxRememberedRequests`.
  # It forgets all of them with the boot: a caller repeats a call only while the machine is the same
  # (`WorkspaceInfo.startedNanos`).

  struct ExecOutcome {
    union {
      started @0 :Void;
      failed @1 :StartFailure;
      gone @4 :Void;
      # The program of this request id was started and cannot be had any more: see `reattach`, absent.
    }

    missingHome @2 :Text;
    # With `started`: the user's home that could not be entered, wherefore the program runs in "/".  Else empty.

    missingHomeError @3 :Int32;
    # errno of the attempt to enter it.
  }

  reattach @1 (id :UInt64, stdout :Stream.ByteSink, stdoutFrom :UInt64, stderr :Stream.ByteSink, stderrFrom :UInt64,
               attempt :UInt32)
      -> (process :Process, stdin :Stream.ByteSink, stdinReceived :UInt64, outcome :ReattachOutcome);
  # A program that was started with `keep`, also one that has ended meanwhile.  Its output comes to the new
  # sinks, from byte `stdoutFrom` and `stderrFrom` on (bytes that the caller has had, counted from 0), and
  # no more to earlier ones; who had given no sink gives none, and who had asked for no standard input gets none.
  # `stdinReceived`: so many bytes of standard input the
  # program's pipe has taken; what was on its way beyond that is lost, and the caller writes it again.
  # Earlier `stdin`s are dead.  FAILED for a position that the caller cannot have had.  `attempt`: see exec.
  #
  # What is not kept any more, or is lost before the new sink takes it, is a `ByteSink.gap` for it.  Where the sink does not know that it
  # gets no `end`, and `wait` fails with OVERLOADED.

  struct ReattachOutcome {
    union {
      attached @0 :Void;
      absent @1 :Void;
      # There was no such program, or nobody came for it within `processKeepMillis`, or it ended and
      # was forgotten (see `maxEndedProcesses`).
    }
  }
}

interface Process {
  # A program that was started.  Dropping the last reference while it runs ends its whole tree, unless it is
  # kept (see Processes.exec): SIGHUP and SIGTERM, `killGraceMillis` later SIGKILL.

  wait @0 (answersToEnd :AnswersToEnd = awaited) -> (status :ExitStatus, detached :UInt32);
  # Returns when the program ended and its output was delivered: both sinks have answered `end`.  What is in the pipes when the
  # program ends is delivered, and where a background child still holds them, what comes until there was nothing for 100 ms, at most
  # for 250 ms; then both sinks are ended.  A sink so slow that it holds the child up has no less: such time does not count until
  # 4 MiB of that output have come; and after `reattach` the time begins anew.  `detached` counts the descendants that still run;
  # they go on, and what they write to the pipes is discarded.
  # May be called any number of times, at any time.
  #
  # `notAwaited` saves a caller with sinks of its own a round trip: it returns once `end` of both was called, and on the
  # connection of the sinks that call arrives before the answer.  Such a caller has all of the output when its sinks
  # have seen their `end`, not before; after a loss of the connection it asks for the rest by `reattach`.

  enum AnswersToEnd {
    awaited @0;
    notAwaited @1;  # an agent that does not know it waits all the same
  }

  signal @1 (number :UInt8, scope :SignalScope) -> (delivered :Bool);
  # Sends the signal (1..64; FAILED otherwise).  `delivered` is false if nothing was there to get it.

  info @2 () -> (pid :UInt32);
  # The process id within the guest: for people to read; it is no handle.

  end @3 ();
  # Ends its whole tree as dropping the last reference of one that is not kept does, and forgets it.  Returns
  # when that has begun.  A kept one that has ended is only forgotten, which who has all of it does well to ask for:
  # see `maxEndedProcesses`.
}

const processKeepMillis :UInt32 = 30000;
# How long a program that was started with `keep` waits for `reattach` when nobody holds it.

const requestMemoryMillis :UInt32 = 60000;
# How long a request id of `Processes.exec` is remembered that has no program any more, or never had one; and of
# `Terminals.open` that has no terminal.

const maxEndedProcesses :UInt32 = 32;
# Programs that have ended, and that nobody holds, of which the end of the output and the status are kept.  One more,
# and the oldest is forgotten, those first of which `wait` has told how they ended and the sinks have answered `end`.

const killGraceMillis :UInt32 = 2000;
# Time between SIGTERM and SIGKILL when a process or a terminal is ended.
