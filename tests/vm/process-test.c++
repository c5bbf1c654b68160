// Programs run in a real machine without a terminal.

#include <kj/debug.h>
#include <signal.h>
#include <catch2/catch_test_macros.hpp>

#include "support/test-workspace.h"

namespace bothy {
namespace {

TEST_CASE("exit codes and signals arrive as they were") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  CHECK(workspace.run({"/bin/true"_kj}).status == "exited 0");
  CHECK(workspace.run({"/bin/false"_kj}).status == "exited 1");
  CHECK(workspace.run({"/bin/sh"_kj, "-c"_kj, "exit 255"_kj}).status == "exited 255");
  CHECK(workspace.run({"/bin/sh"_kj, "-c"_kj, "kill -9 $$"_kj}).status == "killed 9");
  CHECK(workspace.run({"/bin/sh"_kj, "-c"_kj, "kill -SEGV $$"_kj}).status == "killed 11");
}

TEST_CASE("standard output and standard error stay apart") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  auto finished = workspace.run({"/bin/sh"_kj, "-c"_kj, "echo out; echo err >&2"_kj});
  CHECK(finished.out == "out\n");
  CHECK(finished.err == "err\n");
}

TEST_CASE("a program that cannot be started says why") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  auto attempt = [&](kj::StringPtr program, kj::StringPtr directory, kj::StringPtr user) {
    auto request = workspace.processes().execRequest();
    auto command = request.initCommand();
    command.initArgv(1).set(0, program);
    command.setWorkingDirectory(directory);
    command.setUser(user);
    auto response = host.wait(request.send().dropPipeline(), program);
    REQUIRE(response.getOutcome().isFailed());
    return response.getOutcome().getFailed().getReason();
  };
  using Reason = rpc::StartFailure::Reason;
  CHECK(attempt("no-such-program", "", "") == Reason::PROGRAM_NOT_FOUND);
  CHECK(attempt("/etc/passwd", "", "") == Reason::PROGRAM_NOT_EXECUTABLE);
  CHECK(attempt("/bin/true", "/no/such/directory", "") == Reason::WORKING_DIRECTORY_MISSING);
  CHECK(attempt("/bin/true", "", "nobody-of-that-name") == Reason::NO_SUCH_USER);
}

TEST_CASE("P11 a background child that holds stdout does not delay the end") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  auto finished = workspace.run({"/bin/sh"_kj, "-c"_kj, "sleep 1000 & echo ok"_kj});
  CHECK(finished.status == "exited 0");
  CHECK(finished.out == "ok\n");
  CHECK(finished.detached == 1);
  CHECK(workspace.shell("pgrep -x -c sleep") == "1");
}

TEST_CASE("P40 exec runs no shell and sees what a login sees") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  workspace.shell(
      "echo 'echo HOSTILE; export PATH=/evil' | tee ~/.bash_profile ~/.profile ~/.bashrc");
  CHECK(workspace.run({"/bin/echo"_kj, "$HOME; `id`"_kj}).out == "$HOME; `id`\n");

  auto byExec = workspace.run({"/usr/bin/env"_kj}).out;
  CHECK(strstr(byExec.cStr(), "HOSTILE") == nullptr);
  TestTerminal terminal(workspace, {.argv = {"/usr/bin/env"_kj}, .rows = 50});
  terminal.waitForExit();
  for (auto name : {"PATH=", "HOME=", "LANG=", "USER=", "SHELL="}) {
    const char* line = strstr(byExec.cStr(), name);
    REQUIRE(line != nullptr);
    auto value = kj::heapString(line, strchr(line, '\n') - line);
    INFO(value.cStr());
    CHECK(strstr(terminal.record.screen.text().cStr(), value.cStr()) != nullptr);
  }
}

TEST_CASE("P15 orphans are reaped, whoever made them") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  workspace.shell("i=0; while [ $i -lt 500 ]; do (sleep 0 &) ; i=$((i+1)); done");
  // A zombie is a process whose state is Z; none may be left once the last child has ended.
  workspace.shell("while pgrep -x sleep; do :; done; ! grep -l '^State:.Z' /proc/[0-9]*/status");
}

TEST_CASE("dropping a process ends its whole tree") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  {
    auto request = workspace.processes().execRequest();
    auto argv = request.initCommand().initArgv(3);
    argv.set(0, "/bin/sh");
    argv.set(1, "-c");
    argv.set(2, "(setsid sleep 1001 &); trap '' HUP TERM; sleep 1002");
    auto response = host.wait(request.send().dropPipeline(), "a stubborn tree");
    REQUIRE(response.getOutcome().isStarted());
    workspace.shell("until [ $(pgrep -c 'sleep') = 2 ]; do :; done");
  }
  workspace.shell("while pgrep sleep; do :; done");
}

TEST_CASE("P12 a program that reads its input ends at once when there is none") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  CHECK(workspace.run({"/bin/cat"_kj}).status == "exited 0");
}

}  // namespace
}  // namespace bothy
