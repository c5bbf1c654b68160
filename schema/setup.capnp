@0xb5d6b1a1c0f0a053;
# What makes a workspace what it is to be beyond its image: variables that its programs get, and steps that set it up once.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bothy::rpc");

using Process = import "process.capnp";

struct Configuration {
  # Stored with the workspace, and handed to the agent of each of its boots before anybody else reaches that.  It may hold secrets: it is in
  # no log and no event, and is told to nobody but that agent, with two exceptions.  Names of steps are told to whoever waits for them, and in
  # `setupFailed`; and of a step's program `argv[0]` is told when it has ended, as of any program (`programEnded`).  Neither is a place for a secret.

  environment @0 :List(Process.EnvironmentVariable);
  # That all programs and terminals which the agent starts get, whoever their user is: above what /etc/environment says, beneath what
  # a `Command` says.  At most `maxVariables`, with `maxEnvironmentBytes` in all.  Names are [A-Za-z_][A-Za-z0-9_]*, each once; HOME, USER,
  # LOGNAME, SHELL, TERM and XDG_RUNTIME_DIR are the user's or the terminal's, and refused.  Programs of root's do not get those that choose
  # what a program runs: PATH, ENV, BASH_ENV, IFS and LD_*.  The others they get, and some of these (PYTHONPATH, ...) choose too.

  setup @1 :SetupPlan;
}

struct SetupPlan {
  # Steps that are done once for a disk: after the first boot, and again when the workspace was given a new disk.
  #
  # They are done in their order by the guest's agent, which notes on the workspace's disk (/var/lib/bothy/setup) what is done, so
  # that a crash of the guest, its reboot, a stop, and whatever happens to bothyd goes on where it was.  No step is done again that has
  # ended well.  One that was running when the machine ended is begun again from its beginning: a command must be such that it may be.
  # One that the machine has ended in `maxSetupBegins` times, as of a command that reboots it, is not begun again: it has failed.
  # One that has failed stays so, also over reboots, until `Supervisor.setup` is asked for `retry`; the machine runs and can be reached.

  id @0 :Text;
  # Of these steps: bothyd gives it (64 hexadecimal digits).  The journal of other steps than these is nothing.

  steps @1 :List(SetupStep);
  # At most `maxSetupSteps`, with `maxSetupBytes` in all.
}

struct SetupStep {
  name @0 :Text;
  # For people: "Installing tools".  1 to `maxSetupNameBytes` bytes of printable text.

  union {
    nothing @1 :Void;   # refused
    command :group {
      # Runs in a control group of its own, in the home of its user, with his environment and nothing on standard input.  It has ended well with
      # exit code 0.  What it leaves running stays.
      argv @2 :List(Text);
      # As that of a `Command`.  `sh -c` where a shell is meant.
      root @3 :Bool;
      # As root; else as the workspace's user.
      timeoutMillis @4 :UInt64;
      # After which it and all that it has started is ended, and it has failed: at most `maxSetupStepMillis`.  0: `setupStepMillis`.
    }
    file :group {
      # Is there whole or not at all, in the place of what was there.  Missing directories are made, with mode 0755, and its owner.  None of
      # its directories may be a symbolic link.
      path @5 :Text;
      # Absolute, at most `maxPathBytes`, without ".." and ".".
      owner @6 :Text;
      # A user of the workspace, by name or number, whose group it gets too.  Empty: root.
      mode @7 :UInt16 = 0x1a4;
      # Of chmod(2), at most 0o7777; 0o644.
      content @8 :Data;
    }
  }
}

struct SetupStatus {
  # How far the steps are.

  revision @0 :UInt64;
  # Rises with each change, within a boot.
  done @1 :UInt32;
  # Steps that have ended well, which are the first.
  union {
    nothing @2 :Void;            # there are no steps, or the agent was not told of any yet, or has not read yet how far they are
    running @3 :Text;            # step `done` is, and this is the last line of what it has said, at most `maxSetupLineBytes` of it
    complete @4 :Void;
    failed @5 :SetupFailure;     # step `done` has
  }
}

struct SetupFailure {
  union {
    other @0 :Text;              # why, for people: the guest's words, at most `maxSetupFailureBytes`
    exited @1 :UInt8;            # with this code
    killed @2 :UInt8;            # by this signal
    timedOut @3 :Void;
  }
}

struct SetupInfo {
  # The steps of a workspace, as `Supervisor.setup` tells them.

  steps @0 :List(Step);
  struct Step {
    name @0 :Text;
    state @1 :State;
    detail @2 :Text;
    # `running`: the last line of what it has said.  `failed`: why.  One line; guest text in it is escaped.
    log @3 :Text;
    # Where in the workspace all that it has said is, as far as it fits; what does not, or was said by an earlier try, is beside it with ".old".
  }
  enum State {
    pending @0;
    running @1;
    done @2;
    failed @3;
  }
}

const maxVariables :UInt32 = 256;
const maxEnvironmentBytes :UInt32 = 32768;
# Names and values, with a "=" and a NUL each.

const maxSetupSteps :UInt32 = 64;
const maxSetupNameBytes :UInt32 = 64;
const maxSetupStepBytes :UInt32 = 262144;
# Of one step: its texts and its content.
const maxSetupBytes :UInt32 = 1048576;
# Of all steps together.

const setupStepMillis :UInt64 = 600000;
const maxSetupStepMillis :UInt64 = 3600000;

const maxSetupBegins :UInt32 = 3;
# Of a step, from when it is to be done, or done again.

const maxSetupLineBytes :UInt32 = 160;
const maxSetupFailureBytes :UInt32 = 512;
const setupLineMillis :UInt64 = 250;
# A line is told at most once in this time.

const maxSetupLogBytes :UInt32 = 1048576;
# Of a step's log, and of the one beside it.

const setupLogDirectory :Text = "/var/log/bothy/setup";
# In the workspace.  Step N, from 1 on, has N.log.  Those of root's commands are root's to read, all others everybody's.

const maxLabels :UInt32 = 16;
const maxLabelKeyBytes :UInt32 = 63;
# [a-z0-9]([a-z0-9._/-]*[a-z0-9])?
const maxLabelValueBytes :UInt32 = 127;
# Printable text.

struct Label {
  # Something that the platform says of a workspace.  It means nothing to bothyd.
  key @0 :Text;
  value @1 :Text;
}
