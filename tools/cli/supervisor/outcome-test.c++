#include "supervisor/outcome.h"

#include <errno.h>
#include <string.h>

#include <capnp/message.h>
#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "console/failure.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

TEST_CASE("exit codes are those of a shell") {
  capnp::MallocMessageBuilder message;
  auto status = message.initRoot<rpc::ExitStatus>();
  status.setExited(7);
  CHECK(exitCodeOf(status) == 7);
  status.setKilled(9);
  CHECK(exitCodeOf(status) == 137);
  status.setTimedOut();
  CHECK(exitCodeOf(status) == 124);
  status.setLost();
  auto thrown = kj::runCatchingExceptions([&] { exitCodeOf(status); });
  CHECK(describe(KJ_REQUIRE_NONNULL(thrown)).exitCode == EXEC_FAILED);
}

TEST_CASE("start failures have the exit codes of a shell") {
  capnp::MallocMessageBuilder message;
  auto failed = message.initRoot<rpc::StartFailure>();
  failed.setSubject("nope\x1b");
  failed.setReason(rpc::StartFailure::Reason::PROGRAM_NOT_FOUND);
  auto notFound = describe(describeFailure(failed));
  CHECK(notFound.exitCode == 127);
  CHECK(notFound.message.startsWith("nope\\x1b: "));
  failed.setReason(rpc::StartFailure::Reason::PROGRAM_NOT_EXECUTABLE);
  CHECK(describe(describeFailure(failed)).exitCode == 126);
  failed.setErrorNumber(EISDIR);
  CHECK(describe(describeFailure(failed)).message ==
        "nope\\x1b: cannot be executed: Is a directory");
  failed.setErrorNumber(ENOEXEC);
  failed.setDetail("aarch64");
  CHECK(describe(describeFailure(failed)).message ==
        "nope\\x1b: cannot be executed: it is a program for another processor, aarch64");
  failed.setReason(rpc::StartFailure::Reason::NO_SUCH_USER);
  CHECK(describe(describeFailure(failed)).exitCode == 125);
}

TEST_CASE("a permission that no right of root's gives is told with its reason") {
  capnp::MallocMessageBuilder message;
  auto failed = message.initRoot<rpc::FileFailure>();
  failed.setReason(rpc::FileFailure::Reason::PERMISSION_DENIED);
  failed.setErrorNumber(EACCES);
  failed.setMessage("Permission denied");
  CHECK(describe(describeFailure("f", failed)).message ==
        "f: permission denied (-u root has every right)");
  failed.setMessage("another's \x1b");
  CHECK(describe(describeFailure("f", failed)).message == "f: permission denied: another's \\x1b");
}

TEST_CASE("a name that is too long is told as that, with the limit") {
  capnp::MallocMessageBuilder message;
  auto failed = message.initRoot<rpc::FileFailure>();
  failed.setReason(rpc::FileFailure::Reason::INVALID_PATH);
  CHECK(describe(describeFailure("f", failed)).message == "f: the path is not valid");
  failed.setErrorNumber(ENAMETOOLONG);
  CHECK(describe(describeFailure("f", failed)).message ==
        "f: a name in it is too long (at most 255 bytes)");
}

TEST_CASE("a script whose interpreter is missing is there, and not executable") {
  capnp::MallocMessageBuilder message;
  auto failed = message.initRoot<rpc::StartFailure>();
  failed.setSubject("./run");
  failed.setReason(rpc::StartFailure::Reason::INTERPRETER_UNUSABLE);
  failed.setErrorNumber(ENOENT);
  failed.setDetail("/bin/bash\r");
  auto crlf = describe(describeFailure(failed));
  CHECK(crlf.exitCode == 126);
  CHECK(crlf.message ==
        "./run: its interpreter /bin/bash\\r is not in the workspace: its lines end as on Windows, "
        "`sed -i 's/\\r$//' FILE` mends that");
  failed.setDetail("/usr/bin/python3");
  CHECK(describe(describeFailure(failed)).message ==
        "./run: its interpreter /usr/bin/python3 is not in the workspace");
}

TEST_CASE("P40 a user without a home is told, and nobody else") {
  capnp::MallocMessageBuilder message;
  auto outcome = message.initRoot<rpc::Processes::ExecOutcome>();
  outcome.setStarted();
  CHECK(describeStart(outcome) == nullptr);
  outcome.setMissingHome("/nonexistent");
  outcome.setMissingHomeError(ENOENT);
  CHECK(KJ_REQUIRE_NONNULL(describeStart(outcome)) ==
        "the home /nonexistent cannot be entered (No such file or directory): the command runs in "
        "/ with HOME=/");
}

TEST_CASE("arguments that are too long are told with their size, as a shell's failure") {
  capnp::MallocMessageBuilder message;
  auto failed = message.initRoot<rpc::StartFailure>();
  failed.setSubject("rm");
  failed.setReason(rpc::StartFailure::Reason::ARGUMENTS_TOO_LONG);
  failed.setBytes(3000000);
  failed.setLimitBytes(2097152);
  auto told = describe(describeFailure(failed));
  CHECK(told.exitCode == 126);
  CHECK(told.message ==
        "rm: argument list too long: 3000000 bytes, at most 2097152: pass it by standard input or "
        "a file");
}

TEST_CASE("S42 a user who held up the agent is told what was done, and what to do") {
  capnp::MallocMessageBuilder message;
  auto failed = message.initRoot<rpc::StartFailure>();
  failed.setSubject(*rpc::USER_HELD_UP_AGENT);
  failed.setReason(rpc::StartFailure::Reason::LIMIT_REACHED);
  auto told = describe(describeFailure(failed));
  CHECK(told.exitCode == 125);
  CHECK(told.message ==
        "programs of this user held up the workspace's agent, by a file system that does not "
        "answer, so all of his were ended and he starts none for a minute: try again then, or as "
        "root (`-u root`); `dmesg` there says more");
}

// What is told of the way to the workspace demo.
kj::String toldOf(rpc::Supervisor::ConnectOutcome::Reader outcome, Asker asker = Asker::OPERATOR) {
  kj::EventLoop loop;
  kj::WaitScope scope(loop);
  rpc::Supervisor::Client supervisor = KJ_EXCEPTION(DISCONNECTED, "nobody is there");
  auto reason = whyNotConnected(kj::mv(supervisor), "demo", outcome, asker).wait(scope);
  return describe(KJ_REQUIRE_NONNULL(reason)).message;
}

TEST_CASE("a workspace that is stopped is told with how to start it") {
  capnp::MallocMessageBuilder message;
  auto outcome = message.initRoot<rpc::Supervisor::ConnectOutcome>();
  outcome.setNotRunning(rpc::WorkspaceState::STOPPED);
  CHECK(toldOf(outcome) == "demo is not running (stopped): `bothy start demo`");
}

TEST_CASE("P54 who has a session is told what he may do, and not what operators may") {
  capnp::MallocMessageBuilder message;
  auto outcome = message.initRoot<rpc::Supervisor::ConnectOutcome>();
  auto told = [&]() { return toldOf(outcome, Asker::SESSION); };
  outcome.setNotRunning(rpc::WorkspaceState::STOPPED);
  CHECK(told() ==
        "demo is not running (stopped): `bothy start demo`, if this session has the right "
        "`power`, or whoever gave it");
  outcome.setNotRunning(rpc::WorkspaceState::PAUSED);
  CHECK(told() ==
        "demo is not running (paused): a session with a right to more than to look wakes it by "
        "the next command");
  CHECK(toldOf(outcome) == "demo is not running (paused): `bothy resume demo` wakes it");
  outcome.setUnreachable("no vsock");
  CHECK(told() == "demo cannot be reached (no vsock): try again, or ask whoever gave this session");
  CHECK(toldOf(outcome) ==
        "demo cannot be reached (no vsock): try again, or `bothy stop demo && bothy start demo`");
  outcome.setAgentTooOld(2);
  CHECK(told() ==
        "demo runs an agent that is too old for this (generation 2): its next start brings a new "
        "one");
}

TEST_CASE("P12 what goes on when its call has ended is told with the reason, escaped") {
  capnp::MallocMessageBuilder message;
  auto underway = message.getRoot<rpc::Supervisor::Underway>();
  underway.setState(rpc::WorkspaceState::STOPPING);
  auto told = [&]() { return kj::str(stillUnderway("demo", underway).getDescription()); };
  CHECK(told() ==
        "demo is still stopping: bothyd goes on until that is done; `bothy events` tells when, and "
        "the same command waits for it again");
  underway.setWhy("no\033");
  CHECK(told().startsWith("demo is still stopping (no\\x1b): "));
  auto created = kj::str(stillUnderway("demo", underway, "`bothy start demo`").getDescription());
  CHECK(created.endsWith("and `bothy start demo` waits for it again"));
}

TEST_CASE("P30 a workspace that stands still is told with its reason") {
  capnp::MallocMessageBuilder message;
  auto outcome = message.initRoot<rpc::Supervisor::ConnectOutcome>();
  outcome.setStalled("the disk is full");
  CHECK(toldOf(outcome) == "demo: the disk is full");
}

TEST_CASE("P09 why a lane ended is told in words of its own for each reason") {
  using LaneEnd = rpc::LaneEnd;
  CHECK(describeEnd("demo", LaneEnd::CLOSED) == nullptr);
  kj::Vector<kj::String> told;
  for (auto why : {LaneEnd::REVOKED, LaneEnd::EXPIRED, LaneEnd::STOPPED, LaneEnd::STALLED,
                   LaneEnd::PAUSED, LaneEnd::DEVICE_REPLACED, LaneEnd::AGENT_GONE}) {
    auto text = describeEnd("demo", why);
    auto& words = told.add(kj::mv(KJ_REQUIRE_NONNULL(text)));
    INFO(words.cStr());
    CHECK(strstr(words.cStr(), "demo") != nullptr);
    CHECK(strstr(words.cStr(), "reason") == nullptr);
    for (auto i : kj::zeroTo(told.size() - 1)) CHECK(told[i] != words);
  }
  CHECK(KJ_REQUIRE_NONNULL(describeEnd("demo", static_cast<LaneEnd>(77))) ==
        "the connection to demo has ended (reason 77), for what only a newer bothy knows");
}

TEST_CASE("what bothyd does not offer is told with its words, escaped") {
  capnp::MallocMessageBuilder message;
  auto outcome = message.initRoot<rpc::Supervisor::ConnectOutcome>();
  outcome.setUnsupported("viewing \x1b terminals");
  CHECK(toldOf(outcome) == "bothyd refuses this: viewing \\x1b terminals");
}

TEST_CASE("a workspace without a user of its own says that one is to be named") {
  CHECK(describe(describeRefusal("demo", "", rpc::Refusal::NO_SUCH_USER)).message ==
        "demo has no user of its own: name one of its users with -u");
  CHECK(describe(describeRefusal("demo", "", rpc::Refusal::NOT_UNDERSTOOD))
            .message.startsWith("the agent of demo refuses what bothyd asks for (reason 6): "));
}

TEST_CASE("a workspace that is not there is told also when its like cannot be looked for") {
  capnp::MallocMessageBuilder message;
  auto outcome = message.initRoot<rpc::Supervisor::ConnectOutcome>();
  outcome.setAbsent();
  CHECK(toldOf(outcome) ==
        "there is no workspace demo: `bothy ls` lists them, `bothy create` makes one");
}

}  // namespace
}  // namespace bothy
