// The `bothy` command as a person and as a script use it.

#include <kj/debug.h>
#include <signal.h>
#include <catch2/catch_test_macros.hpp>

#include "support/command-line.h"
#include "support/local-terminal.h"
#include "support/test-workspace.h"

namespace bothy {
namespace {

TEST_CASE("a workspace is made, listed, stopped, started and removed by its name") {
  SupervisedHost host;
  host.supervisor();
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

TEST_CASE("exec passes the command's exit code, and its own troubles as 125 to 127") {
  SupervisedHost host;
  TestWorkspace workspace(host);
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
  SupervisedHost host;
  TestWorkspace workspace(host);
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

TEST_CASE("a person types into a shell, detaches, and finds it as it was") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  auto socket = host.socket();
  {
    LocalTerminal person({BOTHY_PROGRAM ""_kj, "--socket"_kj, socket, "shell"_kj, "test"_kj}, 80,
                         24);
    person.waitForText("$");
    person.type("sleep 1000\r");
    person.waitForText("sleep 1000");
    person.type("\x03");
    person.type("echo answer $((6 * 7))\r");
    person.waitForText("answer 42");
    // It sets margins for 24 rows, and leaves them.
    person.type("seq 50; vim -c q; seq 24\r");
    person.waitForText("23\n24\nuser@");
    person.type("\x1d.");  // Ctrl-] then .
    CHECK(person.waitForExit() == 0);
  }
  auto terminals = host.wait(workspace.terminals().listRequest().send().dropPipeline(), "the list");
  REQUIRE(terminals.getTerminals().size() == 1);
  auto id = kj::str(terminals.getTerminals()[0].getId());
  LocalTerminal again(
      {BOTHY_PROGRAM ""_kj, "--socket"_kj, socket, "shell"_kj, "test"_kj, "--attach"_kj, id}, 100,
      40);
  again.waitForText("answer 42");
  again.waitForText("22\n23\n24\nuser@");
  again.type("exit 5\r");
  CHECK(again.waitForExit() == 5);
}

TEST_CASE("P41 a person's shell goes on when bothyd is killed and started again") {
  SupervisedHost host;
  TestWorkspace workspace(host);
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
