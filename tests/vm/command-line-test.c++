// The `bothy` command as a person and as a script use it.  All scenarios share a host.

#include <kj/debug.h>
#include <signal.h>
#include <catch2/catch_test_macros.hpp>

#include <set>

#include "support/command-line.h"
#include "support/host-program.h"
#include "support/local-terminal.h"
#include "support/shared-workspace.h"

namespace bothy {
namespace {

TEST_CASE("a workspace is made, listed, stopped, started and removed by its name") {
  auto& host = sharedWorkspace().host;
  CommandLine bothy(host);
  CHECK(bothy.run({"create"_kj, "mine"_kj, "--disk"_kj, "256M"_kj}).status == 0);
  auto list = bothy.run({"ls"_kj});
  CHECK(list.status == 0);
  CHECK(strstr(list.out.cStr(), "mine") != nullptr);
  CHECK(strstr(list.out.cStr(), "running") != nullptr);
  CHECK(bothy.run({"create"_kj, "mine"_kj}).status != 0);
  CHECK(bothy.run({"stop"_kj, "mine"_kj}).status == 0);
  CHECK(strstr(bothy.run({"ls"_kj, "--json"_kj}).out.cStr(), "\"stopped\"") != nullptr);
  CHECK(bothy.run({"start"_kj, "mine"_kj}).status == 0);
  CHECK(bothy.run({"rm"_kj, "--force"_kj, "mine"_kj}).status == 0);
  CHECK(strstr(bothy.run({"ls"_kj}).out.cStr(), "mine") == nullptr);
  CHECK(bothy.run({"start"_kj, "mine"_kj}).status != 0);
}

TEST_CASE("S24 doctor tells what the host is, and the log what is weak about it") {
  auto& host = sharedWorkspace().host;
  auto response =
      host.wait(host.supervisor().doctorRequest().send().dropPipeline(), "the findings");
  auto findings = response.getFindings();
  auto told = CommandLine(host).run({"doctor"_kj});
  INFO(told.out.cStr());
  CHECK(told.status == 0);
  auto log = hostOutput({"/bin/cat"_kj, host.log()});
  INFO(log.cStr());

  kj::Vector<kj::StringPtr> missing;
  for (auto name :
       {"accelerator"_kj, "vsock"_kj, "vsock-namespace"_kj, "fuse"_kj, "network-namespaces"_kj,
        "libvirt"_kj, "qemu"_kj, "kernel"_kj, "capnproto"_kj, "smt"_kj, "ksm"_kj, "swap"_kj,
        "core-dumps"_kj, "ptrace-scope"_kj, "storage-daemon"_kj}) {
    bool isThere = false;
    for (auto finding : findings) isThere = isThere || finding.getName() == name;
    if (!isThere) missing.add(name);
  }
  CHECK(kj::strArray(missing, " ") == "");

  for (auto finding : findings) {
    INFO(finding.getName().cStr());
    CHECK(strstr(told.out.cStr(), kj::str("\n", finding.getName(), " ").cStr()) != nullptr);
    CHECK(finding.getVerdict() != rpc::Verdict::REFUSE);
    auto logged = strstr(log.cStr(), kj::str("check = ", finding.getName(), ";").cStr());
    CHECK((logged != nullptr) == (finding.getVerdict() == rpc::Verdict::WARN));
    CHECK((finding.getAdvice().size() > 0) == (finding.getVerdict() == rpc::Verdict::WARN));
  }
  // What bothyd itself sees to.
  for (auto finding : findings) {
    if (finding.getName() == "core-dumps") CHECK(finding.getVerdict() == rpc::Verdict::OK);
  }
}

TEST_CASE("S24 bothyd ends at once on a host that it refuses, says why, and makes nothing") {
  // A copy, since others than root may not reach the build.
  auto ended = runProgram(
      {"/bin/sh"_kj, "-c"_kj,
       "d=$(mktemp -d) && chmod 755 $d && cp " BOTHYD_PROGRAM
       " $d/bothyd && setpriv --reuid=65534 --regid=65534 --clear-groups $d/bothyd "
       "--config=/dev/null "
       "--state-dir=$d/state --runtime-dir=$d/run; code=$?; ls $d; rm -r $d; exit $code"_kj});
  INFO(ended.err.cStr());
  CHECK(ended.status == 1);
  CHECK(ended.out == "bothyd\n");
  CHECK(strstr(ended.err.cStr(), "bothyd runs as user 65534") != nullptr);
  CHECK(strstr(ended.err.cStr(), "start it as root") != nullptr);
}

TEST_CASE("exec passes the command's exit code, and its own troubles as 125 to 127") {
  auto& [host, workspace] = sharedWorkspace();
  CommandLine bothy(host);
  CHECK(bothy.run({"exec"_kj, "test"_kj, "--"_kj, "sh"_kj, "-c"_kj, "exit 42"_kj}).status == 42);
  CHECK(bothy.run({"exec"_kj, "test"_kj, "--"_kj, "sh"_kj, "-c"_kj, "kill -TERM $$"_kj}).status ==
        128 + SIGTERM);
  CHECK(bothy.run({"exec"_kj, "test"_kj, "--"_kj, "no-such-program"_kj}).status == 127);
  CHECK(bothy.run({"exec"_kj, "test"_kj, "--"_kj, "/etc/passwd"_kj}).status == 126);
  auto absent = bothy.run({"exec"_kj, "nobodys"_kj, "--"_kj, "true"_kj});
  CHECK(absent.status == 125);
  CHECK(strstr(absent.err.cStr(), "nobodys") != nullptr);

  auto both =
      bothy.run({"exec"_kj, "test"_kj, "--"_kj, "sh"_kj, "-c"_kj, "echo out; echo err >&2"_kj});
  CHECK(both.out == "out\n");
  CHECK(both.err == "err\n");
}

TEST_CASE("P17 an interactive exec has a terminal of the right size, and gives ours back") {
  auto& [host, workspace] = sharedWorkspace();
  auto socket = host.socket();
  LocalTerminal person(
      {BOTHY_PROGRAM ""_kj, "--socket"_kj, socket, "exec"_kj, "-t"_kj, "test"_kj, "--"_kj,
       "bash"_kj, "-c"_kj,
       "stty size; trap 'stty size; exit 9' WINCH; echo ready; while :; do sleep 0.1; done"_kj},
      90, 25);
  person.waitForText("25 90");
  person.waitForText("ready");
  person.resize(100, 30);
  person.waitForText("30 100");
  CHECK(person.waitForExit() == 9);
}

std::set<uint64_t> terminalsOf(TestWorkspace& workspace) {
  auto response =
      workspace.host.wait(workspace.terminals().listRequest().send().dropPipeline(), "the list");
  std::set<uint64_t> ids;
  for (auto terminal : response.getTerminals()) ids.insert(terminal.getId());
  return ids;
}

TEST_CASE("a person types into a shell, detaches, and finds it as it was") {
  auto& [host, workspace] = sharedWorkspace();
  const auto before = terminalsOf(workspace);
  auto socket = host.socket();
  {
    LocalTerminal person({BOTHY_PROGRAM ""_kj, "--socket"_kj, socket, "shell"_kj, "test"_kj}, 80,
                         24);
    person.waitForText("$");
    // A Ctrl-C before the program has the terminal would be for the shell, which then waits for the program.
    person.type("sh -c 'echo sleeping; exec sleep 1000'\r");
    person.waitForText("\nsleeping");
    person.type("\x03");
    person.type("echo answer $((6 * 7))\r");
    person.waitForText("answer 42");
    // It sets margins for 24 rows, and leaves them.
    person.type("seq 50; vim -c q; seq 24\r");
    person.waitForText("23\n24\nuser@");
    person.type("\x1d.");  // Ctrl-] then .
    CHECK(person.waitForExit() == 0);
  }
  auto terminals = terminalsOf(workspace);
  for (auto id : before) terminals.erase(id);
  REQUIRE(terminals.size() == 1);
  auto id = kj::str(*terminals.begin());
  LocalTerminal again(
      {BOTHY_PROGRAM ""_kj, "--socket"_kj, socket, "shell"_kj, "test"_kj, "--attach"_kj, id}, 100,
      40);
  again.waitForText("22\n23\n24\nuser@");
  again.type("exit 5\r");
  CHECK(again.waitForExit() == 5);
}

TEST_CASE(
    "P17 S25 a person leaves a program with kitty's keys, and comes back to look at its screen "
    "only") {
  auto& [host, workspace] = sharedWorkspace();
  auto socket = host.socket();
  kj::String id;
  {
    LocalTerminal person(
        {BOTHY_PROGRAM ""_kj, "--socket"_kj, socket, "exec"_kj, "-t"_kj, "test"_kj, "--"_kj,
         "sh"_kj, "-c"_kj,
         "printf '\\033[?1049h\\033[>31u\\033[2;4r\\033[?25l\\033[3;5Hshown'; stty -echo; cat > typed"_kj},
        80, 24);
    person.waitForText("shown");
    // Ctrl-] down and up, "." down: with events, alternates and text.  That Ctrl itself goes down is the program's.
    person.type("\x1b[93:125:93;5:1u\x1b[93:125:93;5:3u\x1b[57442;1:3u\x1b[46;1:1;46u");
    CHECK(person.waitForExit() == 0);
    // The other screen is left, and margins with it.
    CHECK(strstr(person.screen.text().cStr(), "shown") == nullptr);
    auto text = person.screen.text();
    auto number = KJ_ASSERT_NONNULL(kj::Maybe<const char*>(strstr(text.cStr(), "--attach ")));
    id = kj::str(strtoull(number + strlen("--attach "), nullptr, 10));
  }
  LocalTerminal onlooker({BOTHY_PROGRAM ""_kj, "--socket"_kj, socket, "shell"_kj, "test"_kj,
                          "--attach"_kj, id, "--view"_kj},
                         80, 24);
  onlooker.waitForText("shown");
  CHECK(onlooker.screen.line(2) == "    shown");
  onlooker.type("evil\r\x04");
  onlooker.type("\x1d.");
  CHECK(onlooker.waitForExit() == 0);
  LocalTerminal again(
      {BOTHY_PROGRAM ""_kj, "--socket"_kj, socket, "shell"_kj, "test"_kj, "--attach"_kj, id}, 80,
      24);
  again.waitForText("shown");
  again.type("good\r\x04");
  CHECK(again.waitForExit() == 0);
  CHECK(workspace.shell("cat typed") == "good");
}

TEST_CASE("P41 a person's shell goes on when bothyd is killed and started again") {
  auto& [host, workspace] = sharedWorkspace();
  auto socket = host.socket();
  LocalTerminal person({BOTHY_PROGRAM ""_kj, "--socket"_kj, socket, "shell"_kj, "test"_kj}, 80, 24);
  person.waitForText("$");
  person.type("x=kept\r");
  // What was typed and is still on its way when a hop dies is gone: it is not said twice.
  person.waitForText("x=kept");
  host.restart(SIGKILL);
  host.connect();
  person.type("echo still $x\r");
  person.waitForText("still kept");
  person.type("exit\r");
  CHECK(person.waitForExit() == 0);
}

}  // namespace
}  // namespace bothy
