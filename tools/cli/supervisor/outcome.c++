#include "supervisor/outcome.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>

#include <kj/debug.h>
#include <kj/vector.h>

#include "console/failure.h"
#include "console/quantity.h"
#include "schema/limits.capnp.h"
#include "supervisor/workspace-pages.h"
#include "usage/nearest.h"
#include "wire/escape.h"

namespace bothy {
namespace {

kj::String escaped(capnp::Text::Reader text) {
  return escapeGuestText(text.asArray());
}

// The agent comes with the boot, from bothyd.
kj::String startAnew(kj::StringPtr name) {
  return kj::str("`bothy stop ", name, " && bothy start ", name, "`");
}

kj::StringPtr nameOf(rpc::FileFailure::Reason reason) {
  using Reason = rpc::FileFailure::Reason;
  switch (reason) {
    case Reason::OTHER:
      break;
    case Reason::NOT_FOUND:
      return "there is no such file or directory";
    case Reason::EXISTS:
      return "it exists";
    case Reason::NOT_DIRECTORY:
      return "it is not a directory";
    case Reason::IS_DIRECTORY:
      return "it is a directory";
    case Reason::PERMISSION_DENIED:
      return "permission denied (-u root has every right)";
    case Reason::OUTSIDE_ROOT:
      return "the path leads out of the workspace";
    case Reason::NOT_EMPTY:
      return "the directory is not empty";
    case Reason::NO_SPACE:
      return "the workspace's disk is full";
    case Reason::INVALID_PATH:
      return "the path is not valid";
    case Reason::READ_ONLY:
      return "it is read-only";
    case Reason::TOO_MANY_ENTRIES:
      return "there are too many entries";
    case Reason::INVALID_ARCHIVE:
      return "the archive is not valid";
    case Reason::CROSS_DEVICE:
      return "it is on another file system";
    case Reason::NOT_REGULAR:
      return "it is not a regular file";
    case Reason::ABANDONED:
      return "the copy was given up";
    case Reason::CHANGED:
      return "it changed while it was read: copy it again";
  }
  return "it failed";
}

// What a shell would say.
kj::String whyNotExecutable(rpc::StartFailure::Reader failed) {
  switch (failed.getErrorNumber()) {
    case 0:  // of an agent that does not say
      return kj::str("permission denied, or it is no program");
    case EACCES:
      return kj::str("permission denied (`chmod +x` makes a file a program)");
    case ENOEXEC:
      return failed.getDetail().size() > 0
                 ? kj::str("it is a program for another processor, ", escaped(failed.getDetail()))
                 : kj::str("it is no program (exec format error)");
    default:
      return kj::str(strerror(failed.getErrorNumber()));
  }
}

kj::String whatInterpreter(rpc::StartFailure::Reader failed) {
  kj::StringPtr interpreter = failed.getDetail();
  if (interpreter.size() == 0) return kj::str("its interpreter is not in the workspace");
  if (interpreter.endsWith("\r")) {
    return kj::str("its interpreter ", escaped(interpreter),
                   " is not in the workspace: its lines end as on Windows, ",
                   "`sed -i 's/\\r$//' FILE` mends that");
  }
  return failed.getErrorNumber() == EACCES
             ? kj::str("its interpreter ", escaped(interpreter), " cannot be executed")
             : kj::str("its interpreter ", escaped(interpreter), " is not in the workspace");
}

}  // namespace

kj::Promise<kj::Exception> noSuchWorkspace(rpc::Supervisor::Client supervisor, kj::StringPtr name) {
  kj::Vector<kj::String> names;
  const WantedWorkspaces all;
  // Who cannot tell the names has told already that this is none.
  co_await listWorkspaces(supervisor, all)
      .then(
          [&names](kj::Array<WorkspacePage> pages) {
            for (auto& page : pages) {
              for (auto info : page.getWorkspaces()) names.add(kj::str(info.getSpec().getName()));
            }
          },
          [](kj::Exception&&) {});
  auto known = KJ_MAP(each, names)->kj::StringPtr {
    return each;
  };
  auto what = kj::str("there is no workspace ", escapeGuestText(name.asArray()));
  KJ_IF_MAYBE (meant, nearest(name, known)) {
    co_return failure(kj::str(what, "; did you mean ", escapeGuestText(meant->asArray()), "?"));
  }
  co_return failure(kj::str(what, ": `bothy ls` lists them, `bothy create` makes one"));
}

kj::Exception workspaceBusy(kj::StringPtr name, rpc::WorkspaceState state) {
  switch (state) {
    case rpc::WorkspaceState::EXPIRED:
      return failure(kj::str(name, " has expired: `bothy start ", name,
                             "` makes it anew, with an empty disk"));
    case rpc::WorkspaceState::STOPPED:
    case rpc::WorkspaceState::FAILED:
      return failure(kj::str(name, " is ", nameOf(state), ": `bothy start ", name, "` starts it"));
    case rpc::WorkspaceState::RUNNING:
      return failure(kj::str(name, " is running: `bothy stop ", name, "` first"));
    case rpc::WorkspaceState::PAUSED:
    case rpc::WorkspaceState::HIBERNATED:
      return failure(
          kj::str(name, " is ", nameOf(state), ": ", howToResume(name, Asker::OPERATOR)));
    default:
      return failure(kj::str(name, " is busy (", nameOf(state), "): try again when that is done"));
  }
}

kj::Exception stillUnderway(kj::StringPtr name, rpc::Supervisor::Underway::Reader underway,
                            kj::StringPtr again) {
  auto why = underway.getWhy().size() == 0
                 ? kj::String()
                 : kj::str(" (", escapeGuestText(underway.getWhy().asArray()), ")");
  return failure(kj::str(name, " is still ", nameOf(underway.getState()), why,
                         ": bothyd goes on until that is done; `bothy events` tells when, and ",
                         again, " waits for it again"));
}

kj::Exception noCapacity(kj::StringPtr name, rpc::Shortage::Reader shortage) {
  return failure(kj::str(name, ": ", escaped(shortage.getWhy())));
}

kj::Exception stoppedBeforeItRan(kj::StringPtr name) {
  return failure(kj::str(name, " was stopped before it ran"));
}

kj::Exception noSuchImage(kj::StringPtr image) {
  return failure(kj::str("there is no image ", escapeGuestText(image.asArray()),
                         ": `bothy-image build` makes one"));
}

kj::Exception newerSupervisor() {
  return failure("bothyd is newer and gave an answer this bothy does not know");
}

kj::String howToResume(kj::StringPtr name, Asker asker) {
  if (asker == Asker::OPERATOR) return kj::str("`bothy resume ", name, "` wakes it");
  return kj::str("a session with a right to more than to look wakes it by the next command");
}

kj::Promise<kj::Maybe<kj::Exception>> whyNotConnected(
    rpc::Supervisor::Client supervisor, kj::StringPtr name,
    rpc::Supervisor::ConnectOutcome::Reader outcome, Asker asker) {
  using Outcome = rpc::Supervisor::ConnectOutcome;
  const bool isOperator = asker == Asker::OPERATOR;
  switch (outcome.which()) {
    case Outcome::CONNECTED:
      co_return nullptr;
    case Outcome::ABSENT:
      co_return co_await noSuchWorkspace(kj::mv(supervisor), name);
    case Outcome::NOT_RUNNING: {
      auto state = outcome.getNotRunning();
      if (state == rpc::WorkspaceState::DELETING) {
        co_return failure(kj::str(name, " is being deleted"));
      }
      auto what = kj::str(name, " is not running (", nameOf(state), "): ");
      if (state == rpc::WorkspaceState::STOPPED || state == rpc::WorkspaceState::FAILED) {
        co_return notRunningFailure(kj::str(
            what, "`bothy start ", name, "`",
            isOperator ? "" : ", if this session has the right `power`, or whoever gave it"));
      }
      if (state == rpc::WorkspaceState::EXPIRED) {
        co_return notRunningFailure(
            kj::str(what, "`bothy start ", name, "` makes it anew, with an empty disk"));
      }
      if (state == rpc::WorkspaceState::PAUSED || state == rpc::WorkspaceState::HIBERNATED) {
        co_return failure(kj::str(what, howToResume(name, asker)));
      }
      co_return failure(kj::str(what, "try again in a moment"));
    }
    case Outcome::UNREACHABLE:
      co_return failure(kj::str(
          name, " cannot be reached (", escaped(outcome.getUnreachable()), "): try again, or ",
          isOperator ? startAnew(name) : kj::str("ask whoever gave this session")));
    case Outcome::STALLED:
      co_return failure(kj::str(name, ": ", escaped(outcome.getStalled())));
    case Outcome::UNSUPPORTED:
      co_return failure(kj::str("bothyd refuses this: ", escaped(outcome.getUnsupported())));
    case Outcome::NOT_ALLOWED:
      co_return failure(kj::str(name, ": ", escaped(outcome.getNotAllowed())));
    case Outcome::AGENT_TOO_OLD:
      co_return failure(kj::str(
          name, " runs an agent that is too old for this (generation ", outcome.getAgentTooOld(),
          "): ", isOperator ? startAnew(name) : kj::str("its next start"), " brings a new one"));
  }
  co_return newerSupervisor();
}

kj::Exception describeRefusal(kj::StringPtr name, kj::StringPtr user, rpc::Refusal refusal) {
  using Refusal = rpc::Refusal;
  switch (refusal) {
    case Refusal::TOO_MANY_LANES:
      return failure(
          kj::str("too many connections to ", name, " are open (at most ", rpc::MAX_LANES, ", ",
                  rpc::MAX_ACTOR_LANES, " of one user, the last ", rpc::KEPT_LANES,
                  " for users who have none): end something that uses it, or try again later"));
    case Refusal::NO_SUCH_USER:
      if (user.size() == 0) {
        return failure(kj::str(name, " has no user of its own: name one of its users with -u"));
      }
      return failure(kj::str("there is no user ", user, " in ", name));
    case Refusal::NOT_UNDERSTOOD:
      // Its length and characters are looked at before its name is.
      if (user.size() > 0) return describeRefusal(name, user, Refusal::NO_SUCH_USER);
      break;
    case Refusal::UNAVAILABLE:
      return failure(kj::str("files of ", name,
                             " cannot be served now: a file system in it hangs, or those of many "
                             "users are in use; try again later"));
    case Refusal::NO_SUCH_DIRECTORY:
      return failure(kj::str("a directory for files of ", name,
                             " is not there, or its user may not enter it"));
    case Refusal::GENERATION_TOO_OLD:
      return failure(kj::str(name, " runs an agent that bothyd does not fit any more: ",
                             startAnew(name), " brings its own"));
    case Refusal::NONE:
    case Refusal::WRONG_SECRET:
    case Refusal::NOTHING_GRANTED:
      break;
  }
  return failure(kj::str("the agent of ", name, " refuses what bothyd asks for (reason ",
                         static_cast<uint16_t>(refusal), "): ", startAnew(name), " may help"));
}

kj::Maybe<kj::String> describeEnd(kj::StringPtr name, rpc::LaneEnd why) {
  switch (why) {
    case rpc::LaneEnd::CLOSED:
      return nullptr;
    case rpc::LaneEnd::REVOKED:
      return kj::str("the session that the connection to ", name, " was of was revoked");
    case rpc::LaneEnd::EXPIRED:
      return kj::str("the time for which the connection to ", name, " was granted is over");
    case rpc::LaneEnd::STOPPED:
      return kj::str("the machine of ", name, " has ended, or boots again");
    case rpc::LaneEnd::STALLED:
      return kj::str(name, " stands still, which ended the connection to it");
    case rpc::LaneEnd::PAUSED:
      return kj::str(name, " was paused, which ended the connection to it");
    case rpc::LaneEnd::DEVICE_REPLACED:
      return kj::str("the vsock device of ", name, " has failed and is replaced");
    case rpc::LaneEnd::AGENT_GONE:
      return kj::str("the agent of ", name, " has closed the connection");
  }
  return kj::str("the connection to ", name, " has ended (reason ", static_cast<uint16_t>(why),
                 "), for what only a newer bothy knows");
}

kj::Exception describeFailure(rpc::StartFailure::Reader failed) {
  using Reason = rpc::StartFailure::Reason;
  // "" can be meant, and would not be seen.
  auto subject = failed.getSubject().size() == 0 ? kj::str("''") : escaped(failed.getSubject());
  auto error = strerror(failed.getErrorNumber());
  switch (failed.getReason()) {
    case Reason::PROGRAM_NOT_FOUND:
      return failure(kj::str(subject, ": there is no such program in the workspace"), NOT_FOUND);
    case Reason::PROGRAM_NOT_EXECUTABLE:
      return failure(kj::str(subject, ": cannot be executed: ", whyNotExecutable(failed)),
                     NOT_EXECUTABLE);
    case Reason::INTERPRETER_UNUSABLE:
      return failure(kj::str(subject, ": ", whatInterpreter(failed)), NOT_EXECUTABLE);
    case Reason::ARGUMENTS_TOO_LONG:
      return failure(
          kj::str(subject, ": argument list too long: ", failed.getBytes(), " bytes, at most ",
                  failed.getLimitBytes(), ": pass it by standard input or a file"),
          NOT_EXECUTABLE);
    case Reason::WORKING_DIRECTORY_MISSING:
      return failure(kj::str(subject, ": there is no such directory in the workspace"),
                     EXEC_FAILED);
    case Reason::WORKING_DIRECTORY_UNUSABLE:
      return failure(kj::str(subject, ": cannot be the working directory: ", error), EXEC_FAILED);
    case Reason::NO_SUCH_USER:
      return failure(kj::str("there is no user ", subject, " in the workspace"), EXEC_FAILED);
    case Reason::INVALID_COMMAND:
      return failure(kj::str("the command is not valid: ", subject), EXEC_FAILED);
    case Reason::LIMIT_REACHED:
      if (failed.getSubject() == *rpc::USER_HELD_UP_AGENT) {
        return failure(
            kj::str("programs of this user held up the workspace's agent, by a file system that "
                    "does not answer, so all of his were ended and he starts none for a minute: "
                    "try again then, or as root (`-u root`); `dmesg` there says more"),
            EXEC_FAILED);
      }
      return failure(
          kj::str("too much runs in the workspace (", subject, "): end something",
                  // The kernel's, and not one of the agent's own limits.
                  failed.getErrorNumber() == 0 ? "" : "; `bothy shell` has a reserve for that"),
          EXEC_FAILED);
    case Reason::MACHINE_ENDING:
      return failure(kj::str("the workspace's machine is ending: try again when it runs"),
                     EXEC_FAILED);
    case Reason::OTHER:
      break;
  }
  return failure(kj::str(subject, ": cannot be started: ", error), EXEC_FAILED);
}

kj::Maybe<kj::String> describeStart(rpc::Processes::ExecOutcome::Reader started) {
  if (started.getMissingHome().size() == 0) return nullptr;
  return kj::str("the home ", escaped(started.getMissingHome()), " cannot be entered (",
                 strerror(started.getMissingHomeError()), "): the command runs in / with HOME=/");
}

kj::Exception describeFailure(kj::StringPtr what, rpc::FileFailure::Reader failed) {
  if (failed.getErrorNumber() == ENAMETOOLONG) {
    return failure(kj::str(what, ": a name in it is too long (at most ", NAME_MAX, " bytes)"));
  }
  // Not every right of root's helps where a message says more than the error's number.
  bool isPermission = failed.getReason() == rpc::FileFailure::Reason::PERMISSION_DENIED;
  if (isPermission && failed.getErrorNumber() != 0 && failed.getMessage().size() > 0 &&
      failed.getMessage() != strerror(failed.getErrorNumber())) {
    return failure(kj::str(what, ": permission denied: ", escaped(failed.getMessage())));
  }
  if (failed.getReason() != rpc::FileFailure::Reason::OTHER) {
    return failure(kj::str(what, ": ", nameOf(failed.getReason())));
  }
  if (failed.getErrorNumber() != 0) {
    return failure(kj::str(what, ": ", strerror(failed.getErrorNumber())));
  }
  return failure(kj::str(what, ": ", escaped(failed.getMessage())));
}

kj::Maybe<kj::String> describeOutOfMemory(rpc::ExitStatus::Reader status) {
  auto usage = status.getUsage();
  auto count = usage.getOutOfMemory();
  if (count == 0) return nullptr;
  auto most = kj::str(", when it and what it started had taken ",
                      formatBytes(usage.getMemoryPeakBytes()), " at most");
  if (count == 1 && status.isKilled() && status.getKilled() == SIGKILL) {
    return kj::str("out of memory: the command was killed", most);
  }
  return kj::str("out of memory: ", count, count == 1 ? " process" : " processes",
                 " of the command killed", most);
}

int exitCodeOf(rpc::ExitStatus::Reader status) {
  switch (status.which()) {
    case rpc::ExitStatus::EXITED:
      return status.getExited();
    case rpc::ExitStatus::KILLED:
      return SIGNAL_BASE + status.getKilled();
    case rpc::ExitStatus::TIMED_OUT:
      return TIMED_OUT;
    case rpc::ExitStatus::LOST:
      break;
  }
  kj::throwFatalException(failure("the command ended, but how is not known", EXEC_FAILED));
}

}  // namespace bothy
