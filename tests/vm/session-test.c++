// Sessions on a real machine: what they may do, and how they end.  All scenarios share a host.

#include <kj/debug.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include <fstream>

#include "lane/lane-descriptor.h"
#include "lane/lane-greeting.h"
#include "schema/agent.capnp.h"
#include "support/background-client.h"
#include "support/command-line.h"
#include "support/host-memory.h"
#include "support/host-program.h"
#include "support/hostile-process.h"
#include "support/session-client.h"
#include "support/shared-workspace.h"
#include "support/unnoticed-restart.h"

namespace bothy {
namespace {

// The promise.
constexpr kj::Duration CUT_LIMIT = 1 * kj::SECONDS;

using Rights = rpc::SessionRights::Builder;

void everything(Rights rights) {
  rights.setTerminals(rpc::SessionRights::TerminalAccess::USE);
  rights.setExec(true);
  rights.setFiles(rpc::SessionRights::FileRight::WRITE);
}
void viewOnly(Rights rights) {
  rights.setTerminals(rpc::SessionRights::TerminalAccess::VIEW);
}
void execOnly(Rights rights) {
  rights.setExec(true);
}

// Takes whatever a terminal shows.
class Onlooker final: public rpc::TerminalViewer::Server {
  kj::Promise<void> output(OutputContext) override { return kj::READY_NOW; }
  kj::Promise<void> redraw(RedrawContext) override { return kj::READY_NOW; }
  kj::Promise<void> resized(ResizedContext) override { return kj::READY_NOW; }
  kj::Promise<void> exited(ExitedContext) override { return kj::READY_NOW; }
};

// A file with a session's token, which only its owner may read.
class TokenFile final {
public:
  TokenFile(SupervisedHost& host, kj::StringPtr token) : path(kj::str(host.directory(), "/token")) {
    std::ofstream(path.cStr()) << token.cStr() << "\n";
  }
  ~TokenFile() noexcept(false) { unlink(path.cStr()); }
  KJ_DISALLOW_COPY_AND_MOVE(TokenFile);
  const kj::String path;
};

// `bothy` with that token.
kj::Array<kj::StringPtr> withToken(const TokenFile& token, kj::StringPtr socket,
                                   kj::ArrayPtr<const kj::StringPtr> arguments) {
  kj::Vector<kj::StringPtr> all;
  all.addAll(kj::arr<kj::StringPtr>("--session"_kj, token.path, "--socket"_kj, socket));
  all.addAll(arguments);
  return all.releaseAsArray();
}

// What a session's programs have written into the workspace so far.
kj::String written(TestWorkspace& workspace, kj::StringPtr file) {
  return workspace.shell(kj::str("cat ", file, " 2>/dev/null | wc -c"));
}

void cutEachKindOfLane(bool isAfterRestart) {
  auto& [host, workspace] = sharedWorkspace();
  auto made = makeSession(host, "test", everything);
  TokenFile token(host, made.token);
  const auto socket = sessionSocket(host);
  auto large = kj::str(host.directory(), "/large");
  hostOutput({"/bin/sh"_kj, "-c"_kj, kj::str("head -c 64M /dev/urandom > ", large)});
  workspace.shell(
      "rm -f /tmp/typed /tmp/piped /tmp/large; mkfifo -m 666 /tmp/fifo 2>/dev/null || true");

  // Each of them lives in the background, and its input or output goes on.
  BackgroundClient shell(host, withToken(token, socket,
                                         {"shell"_kj, "test"_kj, "--"_kj, "sh"_kj, "-c"_kj,
                                          "while sleep 0.05; do printf %01000d 0; done"_kj}));
  BackgroundClient exec(host, withToken(token, socket,
                                        {"exec"_kj, "-n"_kj, "test"_kj, "--"_kj, "sh"_kj, "-c"_kj,
                                         "while sleep 0.05; do printf %01000d 0; done"_kj}));
  BackgroundClient copy(host, withToken(token, socket, {"cp"_kj, large, "test:/tmp/large"_kj}));
  constexpr uint64_t BEGUN_BYTES = 8 * 1024 * 1024;
  copy.awaitTransfer(BEGUN_BYTES);
  copy.stop();
  constexpr uint64_t SPOKEN_BYTES = 8 * 1024;
  exec.awaitTransfer(SPOKEN_BYTES);
  shell.awaitTransfer(SPOKEN_BYTES);
  {
    // Its own programs write over a lane of the test's.
    SessionClient client(host, made.token);
    auto lane = client.openLane([](rpc::LaneRequest::Builder wanted) { wanted.setCommands(); });
    auto processes =
        lane->bootstrap().castAs<rpc::Agent>().processesRequest().send().getProcesses();
    auto execute = processes.execRequest();
    auto argv = execute.initCommand().initArgv(3);
    argv.set(0, "sh");
    argv.set(1, "-c");
    argv.set(2, "cat > /tmp/piped");
    auto started = execute.send();
    auto input = started.getStdin();
    auto write = [&]() {
      auto request = input.writeRequest();
      request.setData("x"_kj.asBytes());
      return request.send();
    };
    host.wait(write(), "a byte into a program");
    // A dial that the kill breaks off would end the device, and with it all lanes.
    constexpr size_t LANES = 5;
    if (isAfterRestart) restartUnnoticed(workspace, SIGKILL, LANES);
    auto& clock = kj::systemPreciseMonotonicClock();
    const auto begin = clock.now();
    auto closed =
        lane->onDisconnect().then([&clock]() { return clock.now(); }).eagerlyEvaluate(nullptr);
    CHECK(revokeSession(host, made.id));
    const auto end = host.wait(kj::mv(closed), "the end of a session's lane", CUT_LIMIT);
    INFO((end - begin) / kj::MILLISECONDS << " ms");
    CHECK(end - begin < CUT_LIMIT);
    // All lanes of the machine end with its vsock device, which is replaced.
    if (isAfterRestart) workspace.reconnect();
    const auto before = written(workspace, "/tmp/piped");
    CHECK(kj::runCatchingExceptions([&]() { host.wait(write(), "nothing"); }) != nullptr);
    CHECK(written(workspace, "/tmp/piped") == before);
  }
  // None of the clients comes back, and each says why.
  copy.resume();
  for (auto client : {&shell, &exec, &copy}) {
    auto finished = client->finish();
    INFO(finished.err.cStr());
    CHECK(finished.status != 0);
    CHECK(strstr(finished.err.cStr(), "revoked") != nullptr);
  }
  CHECK(workspace.shell("ls /tmp/large 2>/dev/null || echo none") == "none");
  SessionClient late(host, made.token);
  CHECK(late.isRefused());
}

TEST_CASE("P54 a session that is revoked loses each kind of lane within a second") {
  cutEachKindOfLane(false);
}

TEST_CASE("P54 R20 so it does where its lanes are those of a bothyd that was killed") {
  cutEachKindOfLane(true);
}

TEST_CASE("P09 P54 the lanes of a session end with its time, which is told") {
  auto& [host, workspace] = sharedWorkspace();
  auto made = makeSession(host, "test", execOnly, 3000);
  SessionClient client(host, made.token);
  auto connected = client.connect([](rpc::LaneRequest::Builder wanted) { wanted.setCommands(); });
  REQUIRE(connected.getOutcome().isConnected());
  auto ended = connected.getLane().whenEndedRequest().send().dropPipeline();
  auto over = client.session().whenEndedRequest().send().dropPipeline();
  CHECK(host.wait(kj::mv(ended), "the end of a lane").getReason() == rpc::LaneEnd::EXPIRED);
  CHECK(host.wait(kj::mv(over), "the end of a session").getReason() == rpc::SessionEnd::EXPIRED);
  CHECK(SessionClient(host, made.token).isRefused());
}

TEST_CASE("P54 a session that may only look puts no byte on a terminal, whatever it sends") {
  auto& [host, workspace] = sharedWorkspace();
  const kj::StringPtr argv[] = {"sh"_kj, "-c"_kj,
                                "stty raw -echo; echo ready; exec cat > /tmp/typed"_kj};
  TestTerminal terminal(workspace, {.argv = argv});
  terminal.waitForText("ready");
  auto made = makeSession(host, "test", viewOnly);
  TokenFile token(host, made.token);
  const auto socket = sessionSocket(host);

  // By its own capability: it sees what there is, and neither writes, opens nor ends.
  SessionClient client(host, made.token);
  CHECK(client.connect([](rpc::LaneRequest::Builder wanted) { wanted.setInteractive(); })
            .getOutcome()
            .isNotAllowed());
  CHECK(client.connect([](rpc::LaneRequest::Builder wanted) { wanted.setCommands(); })
            .getOutcome()
            .isNotAllowed());
  CHECK(client
            .connect([](rpc::LaneRequest::Builder wanted) {
              wanted.initFiles().setAccess(rpc::FileAccess::READ);
            })
            .getOutcome()
            .isNotAllowed());
  auto lane = client.openLane([](rpc::LaneRequest::Builder wanted) { wanted.setViewTerminals(); });
  auto terminals = lane->bootstrap().castAs<rpc::Agent>().terminalsRequest().send().getTerminals();
  auto get = terminals.getRequest();
  get.setId(terminal.id);
  auto seen = get.send().getTerminal();
  auto attach = seen.attachRequest();
  attach.initFrom().setScreen();
  attach.setOutput(kj::heap<Onlooker>());
  auto attached = host.wait(attach.send().dropPipeline(), "a view of a terminal");
  auto attachment = attached.getAttachment();
  auto write = attachment.writeRequest();
  write.setData("hostile\r"_kj.asBytes());
  // A stream's call is answered before it is done.
  host.wait(write.send().catch_([](kj::Exception&&) {}), "the answer to a write");
  auto open = terminals.openRequest();
  open.initCommand();
  auto tried =
      kj::runCatchingExceptions([&]() { host.wait(open.send().dropPipeline(), "a refusal"); });
  CHECK(tried != nullptr);
  // By the command line, with a person's keys.
  const auto bothy =
      kj::str(CommandLine::program(), " --session ", token.path, " --socket ", socket);
  auto typed = runProgram({"/bin/sh"_kj, "-c"_kj,
                           kj::str("(sleep 2; echo typed) | timeout 5 ", bothy,
                                   " shell --view --attach ", terminal.id, " test")});
  INFO(typed.err.cStr());
  CHECK(strstr(typed.out.cStr(), "ready") != nullptr);
  CHECK(runProgram({"/bin/sh"_kj, "-c"_kj, kj::str(bothy, " shell --list test | grep -q running")})
            .status == 0);

  CHECK(written(workspace, "/tmp/typed") == "0");
  terminal.type("mine");
  workspace.shell("until test -s /tmp/typed; do sleep 0.1; done");
  CHECK(workspace.shell("cat /tmp/typed") == "mine");
  CHECK(revokeSession(host, made.id));
}

TEST_CASE("S01 P54 a hostile client with the least session harms neither bothyd nor the machine") {
  constexpr uint64_t MIB = 1024 * 1024;
  constexpr uint64_t MAX_GROWTH = 16 * MIB;
  constexpr kj::Duration ATTACK_TIME = 1 * kj::SECONDS;
  auto& [host, workspace] = sharedWorkspace();
  auto made = makeSession(host, "test", viewOnly);
  workspace.shell("true");
  const auto before = residentBytes(host.pid());
  auto stand = [&](kj::StringPtr what) {
    INFO(what.cStr());
    host.timer.afterDelay(ATTACK_TIME).wait(host.scope);
    CHECK(workspace.shell("echo here") == "here");
    CHECK(host.stateOf("test") == rpc::WorkspaceState::RUNNING);
    CHECK_FALSE(SessionClient(host, made.token).isRefused());
    CHECK(kj::max(residentBytes(host.pid()), before) - before <= MAX_GROWTH);
  };
  auto address = host.io.provider->getNetwork()
                     .parseAddress(kj::str("unix:", sessionSocket(host)))
                     .wait(host.scope);
  for (auto attack : attacksOf(AttackerPart::COMMANDS)) {
    HostileProcess attacker(address->connect().wait(host.scope),
                            {attack, AttackerPart::COMMANDS, false});
    stand(kj::str(attack, " on the socket of sessions"));
  }
  // And over what it was given, until that is taken away.
  SessionClient client(host, made.token);
  auto connected =
      client.connect([](rpc::LaneRequest::Builder wanted) { wanted.setViewTerminals(); });
  REQUIRE(connected.getOutcome().isConnected());
  auto stream = host.wait(streamOf(connected.getLane(), host.io.unixEventPort), "a lane");
  host.wait(readGreeting(*stream), "the Welcome");
  HostileProcess attacker(kj::mv(stream),
                          {Attack::TINY_MESSAGES, AttackerPart::INTERACTIVE, false});
  stand("a lane of its own");
  CHECK_FALSE(attacker.hasEnded());
  const auto begin = host.now();
  CHECK(revokeSession(host, made.id));
  while (!attacker.hasEnded() && host.now() - begin < CUT_LIMIT) {
    host.timer.afterDelay(10 * kj::MILLISECONDS).wait(host.scope);
  }
  CHECK(attacker.hasEnded());
  CHECK(workspace.shell("echo here") == "here");
}

TEST_CASE("P54 sessions of a workspace share its files and terminals, within their rights") {
  auto& [host, workspace] = sharedWorkspace();
  workspace.shell("mkdir -p ~/shared && echo theirs > ~/shared/file");
  auto writer = makeSession(host, "test", [](Rights rights) {
    rights.setFiles(rpc::SessionRights::FileRight::WRITE);
    rights.setBeneath("/home/user/shared"_kj.asBytes());
  });
  TokenFile token(host, writer.token);
  const auto bothy =
      kj::str(CommandLine::program(), " --session ", token.path, " --socket ", sessionSocket(host));
  auto shell = [&](kj::StringPtr command) {
    return runProgram({"/bin/sh"_kj, "-c"_kj, kj::str(bothy, " ", command)});
  };
  CHECK(shell("cp test:/file -").out == "theirs\n");
  CHECK(shell(kj::str("cp ", token.path, " test:/mine")).status == 0);
  CHECK(workspace.shell("test -s ~/shared/mine && echo there") == "there");
  // What leads out of the directory is not there.
  for (auto path : {"/../.bashrc"_kj, "/etc/passwd"_kj}) {
    CHECK(shell(kj::str("cp test:", path, " -")).status != 0);
  }
  CHECK(shell("exec test true").status != 0);
  // A connection that is lost ends no session.
  CHECK(shell("session show").status == 0);
  CHECK(revokeSession(host, writer.id));
  CHECK(shell("cp test:/file -").status != 0);
}

TEST_CASE("S34 P54 a token is in no log, no database and no event, whatever its session has done") {
  auto& [host, workspace] = sharedWorkspace();
  auto made = makeSession(host, "test", everything);
  {
    TokenFile token(host, made.token);
    const auto bothy = kj::str(CommandLine::program(), " --session ", token.path, " --socket ",
                               sessionSocket(host));
    runProgram({"/bin/sh"_kj, "-c"_kj, kj::str(bothy, " exec -n test true")});
    // One that is guessed, and one that is almost right.
    auto wrong = kj::str(made.token);
    wrong[30] = wrong[30] == '0' ? '1' : '0';
    CHECK(SessionClient(host, wrong).isRefused());
  }
  host.restart(SIGTERM);
  CHECK_FALSE(SessionClient(host, made.token).isRefused());
  CHECK(revokeSession(host, made.id));
  // The digits of the token, as text and as bytes, in all that bothyd has written.
  auto digits = made.token.slice(8);
  kj::Vector<char> escaped;
  for (size_t i = 0; i < 64; i += 2) {
    for (char c : {'\\', 'x', digits[i], digits[i + 1]}) escaped.add(c);
  }
  escaped.add(0);
  const kj::String patterns[] = {kj::str("grep -rlaF -e ", kj::heapString(digits.slice(0, 40))),
                                 kj::str("LC_ALL=C grep -rlaP -e '", escaped.begin(), "'")};
  for (auto& pattern : patterns) {
    auto found = runProgram(
        {"/bin/sh"_kj, "-c"_kj, kj::str(pattern, " ", host.directory(), " --exclude-dir=volumes")});
    INFO(found.out.cStr() << found.err.cStr());
    CHECK(found.status == 1);
  }
  auto id = runProgram({"/bin/sh"_kj, "-c"_kj, kj::str("grep -c ", made.id, " ", host.log())});
  CHECK(id.status == 0);
}

}  // namespace
}  // namespace bothy
