// Programs run in a real machine without a terminal.  All scenarios share one.

#include <kj/debug.h>
#include <signal.h>
#include <string.h>
#include <catch2/catch_test_macros.hpp>

#include "support/shared-workspace.h"

namespace bothy {
namespace {

TEST_CASE("exit codes and signals arrive as they were") {
  auto& workspace = sharedWorkspace().workspace;
  CHECK(workspace.run({"/bin/true"_kj}).status == "exited 0");
  CHECK(workspace.run({"/bin/false"_kj}).status == "exited 1");
  CHECK(workspace.run({"/bin/sh"_kj, "-c"_kj, "exit 255"_kj}).status == "exited 255");
  CHECK(workspace.run({"/bin/sh"_kj, "-c"_kj, "kill -9 $$"_kj}).status == "killed 9");
  CHECK(workspace.run({"/bin/sh"_kj, "-c"_kj, "kill -SEGV $$"_kj}).status == "killed 11");
}

TEST_CASE("standard output and standard error stay apart") {
  auto& workspace = sharedWorkspace().workspace;
  auto finished = workspace.run({"/bin/sh"_kj, "-c"_kj, "echo out; echo err >&2"_kj});
  CHECK(finished.out == "out\n");
  CHECK(finished.err == "err\n");
}

TEST_CASE("a program that cannot be started says why") {
  auto& [host, workspace] = sharedWorkspace();
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
  auto& workspace = sharedWorkspace().workspace;
  auto finished = workspace.run({"/bin/sh"_kj, "-c"_kj, "sleep 1000 & echo ok"_kj});
  CHECK(finished.status == "exited 0");
  CHECK(finished.out == "ok\n");
  CHECK(finished.detached == 1);
  CHECK(workspace.shell("pgrep -x -c sleep") == "1");
  workspace.shell("pkill -x sleep && while pgrep -x sleep; do :; done");
}

TEST_CASE("P40 exec runs no shell and sees what a login sees") {
  auto& workspace = sharedWorkspace().workspace;
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
  workspace.shell("cd && rm .bash_profile .profile .bashrc && cp -r /etc/skel/. .");
}

// A file that may be executed.
void writeProgram(TestWorkspace& workspace, kj::StringPtr path, kj::StringPtr text) {
  auto printed =
      workspace.run({"/bin/sh"_kj, "-c"_kj, "printf %s \"$1\" > \"$2\" && chmod 755 \"$2\""_kj,
                     "sh"_kj, text, path});
  REQUIRE(printed.status == "exited 0");
}

TEST_CASE("P40 a program that cannot be executed says what is wrong with it") {
  auto& [host, workspace] = sharedWorkspace();
  using Reason = rpc::StartFailure::Reason;
  auto attempt = [&](kj::StringPtr program, Reason reason, kj::StringPtr detail) {
    auto request = workspace.processes().execRequest();
    request.initCommand().initArgv(1).set(0, program);
    auto response = host.wait(request.send().dropPipeline(), program);
    INFO(program.cStr());
    REQUIRE(response.getOutcome().isFailed());
    auto failed = response.getOutcome().getFailed();
    CHECK(failed.getReason() == reason);
    CHECK(kj::str(failed.getDetail()) == detail);
  };
  writeProgram(workspace, "/tmp/crlf", "#!/bin/bash\r\necho hello\r\n");
  attempt("/tmp/crlf", Reason::INTERPRETER_UNUSABLE, "/bin/bash\r");
  writeProgram(workspace, "/tmp/python", "#!/opt/python4\n");
  attempt("/tmp/python", Reason::INTERPRETER_UNUSABLE, "/opt/python4");
  attempt("/tmp", Reason::PROGRAM_NOT_EXECUTABLE, "");
  writeProgram(workspace, "/tmp/plain", "exit 4\n");
  CHECK(workspace.run({"/tmp/plain"_kj}).status == "exited 4");
}

TEST_CASE("P40 arguments are as long as execve takes them") {
  auto& workspace = sharedWorkspace().workspace;
  auto word = kj::str(kj::repeat('x', 4000));
  auto words = kj::heapArray<kj::StringPtr>(500);
  for (auto& each : words) each = word;
  words[0] = "/bin/sh";
  words[1] = "-c";
  words[2] = "echo $#";
  CHECK(workspace.run(words).out == "496\n");
}

TEST_CASE("P40 a program has limits, directory and time zone as after a login") {
  auto& workspace = sharedWorkspace().workspace;
  CHECK(workspace.shell(
            "ulimit -Sn; ulimit -Hn; ulimit -Ss; ulimit -Hs; ulimit -Sc; ulimit -l; umask; nice") ==
        "1024\n1048576\n8192\nunlimited\n0\n8192\n0022\n0");
  CHECK(workspace.shell("cat /proc/self/oom_score_adj") == "0");
  CHECK(workspace.shell("grep -E 'Sig(Ign|Blk)' /proc/self/status | grep -c 0000000000000000") ==
        "2");
  CHECK(workspace.shell("ls /proc/self/fd | wc -l") == "4");  // one is ls's own

  auto directory = workspace.shell("echo $XDG_RUNTIME_DIR; stat -c '%a %U' $XDG_RUNTIME_DIR");
  auto uid = workspace.shell("id -u");
  CHECK(directory == kj::str("/run/user/", uid, "\n700 user"));
  workspace.shell("rm -r /run/user/*", "root");
  CHECK(workspace.shell("stat -c '%a %U' $XDG_RUNTIME_DIR") == "700 user");
  CHECK(workspace.shell("stat -c '%a %U' $XDG_RUNTIME_DIR", "root") == "700 root");

  CHECK(workspace.shell("pwd; echo $HOME", "nobody") == "/\n/");
  CHECK(workspace.shell("echo ${TZ-unset}") == "unset");
}

TEST_CASE("P13 programs start whatever one did to its control group") {
  auto& workspace = sharedWorkspace().workspace;
  workspace.shell(
      "g=/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup) && echo +memory +pids > "
      "${g%/*}/cgroup.subtree_control && "
      "mkdir $g/leaf && echo $$ > $g/leaf/cgroup.procs && echo +memory > $g/cgroup.subtree_control",
      "root");
  workspace.shell(
      "g=/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup) && echo 1 > $g/pids.max && echo 1000 > "
      "$g/cpu.max",
      "root");
  // Where a program has ended, a child waits for the next one.
  workspace.shell("pkill -STOP -x bothy-next", "root");
  workspace.shell("pkill -KILL -x bothy-next; rmdir /sys/fs/cgroup/*/program-*; true", "root");
  workspace.shell(
      "for g in /sys/fs/cgroup/*/program-*; do p=$(cat $g/cgroup.procs); "
      "[ -n \"$p\" -a \"$(cat /proc/$p/comm)\" != bothy-next ] || echo 1 > $g/cgroup.freeze; done",
      "root");
  for (int i = 0; i < 45; i++) REQUIRE(workspace.run({"/bin/true"_kj}).status == "exited 0");
  // What was written to a control group was for that program alone.
  CHECK(workspace.shell("cat /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)/cpu.max") ==
        "max 100000");
}

TEST_CASE("P13 a timeout leaves nobody, double-forked or in a nested control group, and says so") {
  auto& [host, workspace] = sharedWorkspace();
  auto request = workspace.processes().execRequest();
  auto command = request.initCommand();
  auto argv = command.initArgv(3);
  argv.set(0, "/bin/sh");
  argv.set(1, "-c");
  argv.set(2,
           "trap '' HUP TERM; g=/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup); mkdir $g/nested; "
           "(setsid sh -c 'echo $$ > '$g'/nested/cgroup.procs; trap \"\" HUP TERM; touch ~/nested; "
           "while :; do "
           "(sleep 1003 &); sleep 0.1; done' &); "
           "while :; do sleep 1004; done");
  command.setUser("root");
  command.setTimeoutMillis(5000);
  auto response = host.wait(request.send().dropPipeline(), "a stubborn tree");
  REQUIRE(response.getOutcome().isStarted());
  auto ended = host.wait(response.getProcess().waitRequest().send(), "its timeout");
  CHECK(describe(ended.getStatus()) == "timed out");
  CHECK(ended.getDetached() == 0);
  CHECK(workspace.shell("pgrep -c 'sleep' || true; ls ~/nested", "root") == "0\n/root/nested");
}

TEST_CASE("P15 orphans are reaped, whoever made them") {
  auto& workspace = sharedWorkspace().workspace;
  workspace.shell("i=0; while [ $i -lt 500 ]; do (sleep 0 &) ; i=$((i+1)); done");
  // A zombie is a process whose state is Z; none may be left once the last child has ended.
  workspace.shell("while pgrep -x sleep; do :; done; ! grep -l '^State:.Z' /proc/[0-9]*/status");
}

TEST_CASE("dropping a process ends its whole tree") {
  auto& [host, workspace] = sharedWorkspace();
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
  auto& workspace = sharedWorkspace().workspace;
  CHECK(workspace.run({"/bin/cat"_kj}).status == "exited 0");
}

TEST_CASE("the user can read what the host's side did in the workspace, and cannot change it") {
  auto& workspace = sharedWorkspace().workspace;
  constexpr auto LOG = "/var/log/bothy/host-actions.jsonl"_kj;
  workspace.run({"/bin/echo"_kj, "to be noted"_kj});
  // The note is written by another process.
  workspace.shell(kj::str("until grep -q 'to be noted' ", LOG, "; do :; done"));
  auto line = workspace.shell(kj::str("grep '\"/bin/echo\",\"to be noted\"' ", LOG));
  for (auto part : {"\"time\":\"20"_kj, "\"what\":\"program started\""_kj,
                    "\"session\":\"client "_kj, "\"actor\":\"uid 0\""_kj, "\"lane\":\""_kj}) {
    INFO(part.cStr() << " in " << line.cStr());
    CHECK(strstr(line.cStr(), part.cStr()) != nullptr);
  }
  CHECK(workspace.shell(kj::str("echo forged >> ", LOG, " 2>/dev/null || echo refused")) ==
        "refused");
}

}  // namespace
}  // namespace bothy
