// Programs that take all the memory, or all the processes, of their machine.  All scenarios share one.

#include <kj/debug.h>
#include <stdlib.h>
#include <string.h>
#include <catch2/catch_test_macros.hpp>

#include "support/event-record.h"
#include "support/shared-workspace.h"

namespace bothy {
namespace {

// promises.md's, which take two minutes under TCG, and those of the usual run.
constexpr int FULL_BOMBS = 50;
constexpr int MEMORY_BOMBS = 10;
// It wants more than programs may have, and less than the machine has, at once.
constexpr kj::StringPtr MEMORY_BOMB[] = {"/bin/dd"_kj, "if=/dev/zero"_kj, "of=/dev/null"_kj,
                                         "bs=420M"_kj};
// No call takes so long, unless the agent is held up.
constexpr kj::Duration ANSWER_LIMIT = 10 * kj::SECONDS;

uint64_t uptimeMillis(TestWorkspace& workspace) {
  return workspace.health().getUptimeMillis();
}

// Asks the agent again and again until `done`; the longest that an answer took.
kj::Duration longestAnswer(SupervisedHost& host, TestWorkspace& workspace,
                           kj::Function<bool()> done) {
  auto& clock = kj::systemPreciseMonotonicClock();
  auto system = workspace.system();
  kj::Duration longest = 0 * kj::SECONDS;
  while (!done()) {
    auto begun = clock.now();
    host.wait(system.healthRequest().send().ignoreResult(), "the agent");
    longest = kj::max(longest, clock.now() - begun);
  }
  return longest;
}

TEST_CASE("P32 memory bombs end for want of memory, and the agent answers all the while") {
  auto& [host, workspace] = sharedWorkspace();
  const int bombCount = getenv("BOTHY_FULL") != nullptr ? FULL_BOMBS : MEMORY_BOMBS;
  const auto before = uptimeMillis(workspace);
  EventRecord events(host, EventRecord::newest(host));
  kj::Vector<kj::Promise<Finished>> bombs;
  int ended = 0;
  for (int i = 0; i < bombCount; i++) {
    bombs.add(workspace.start(MEMORY_BOMB)
                  .then([&ended](Finished&& finished) {
                    ended++;
                    return kj::mv(finished);
                  })
                  .eagerlyEvaluate(nullptr));
  }
  auto longest = longestAnswer(host, workspace, [&]() { return ended == bombCount; });
  CAPTURE(longest / kj::MILLISECONDS);
  CHECK(longest < ANSWER_LIMIT);
  for (auto& bomb : bombs) {
    CHECK(host.wait(kj::mv(bomb), "a bomb's end").status == "killed 9 out of memory");
  }
  // Each with its victim's name.  Equal ones are one event, which takes the place of the one before it.
  auto victims = [&]() {
    int count = 0;
    for (auto event : events.all()) {
      if (event.getCause() != rpc::Cause::OUT_OF_MEMORY) continue;
      CHECK(event.getDetail() == "dd");
      count = kj::max(count, static_cast<int>(event.getCount()));
    }
    return count;
  };
  events.waitUntil([&]() { return victims() >= bombCount; }, "each victim");
  // It is the same agent, and all is as before.
  CHECK(uptimeMillis(workspace) > before);
  CHECK(workspace.run({"/bin/true"_kj}).status == "exited 0");
}

TEST_CASE(
    "P09 P32 that a program ran out of memory is told with its end, of the leader and of a child") {
  auto& workspace = sharedWorkspace().workspace;
  auto bomb = kj::strArray(MEMORY_BOMB, " ");
  // What its child does not get the leader survives, whether it has a terminal or not.
  CHECK(workspace.run({"/bin/sh"_kj, "-c"_kj, kj::str(bomb, "; exit 5")}).status ==
        "exited 5 out of memory");
  TestTerminal terminal(workspace, {.argv = {"/bin/sh"_kj}});
  terminal.type(kj::str(bomb, "; exit 6\r"));
  terminal.waitForExit();
  CHECK(KJ_ASSERT_NONNULL(terminal.record.exit) == "exited 6 out of memory");
  TestTerminal leader(workspace, {.argv = MEMORY_BOMB});
  leader.waitForExit();
  CHECK(KJ_ASSERT_NONNULL(leader.record.exit) == "killed 9 out of memory");
}

TEST_CASE("what a program took is told with its end, with what it started") {
  auto& [host, workspace] = sharedWorkspace();
  auto request = workspace.processes().execRequest();
  auto argv = request.initCommand().initArgv(3);
  argv.set(0, "/bin/sh");
  argv.set(1, "-c");
  argv.set(2, "(dd if=/dev/zero of=/dev/null bs=40M count=5 2>/dev/null)");
  auto end =
      host.wait(request.send().getProcess().waitRequest().send(), "a program that takes something");
  auto usage = end.getStatus().getUsage();
  CHECK(usage.getCpuMicros() > 1000);
  CHECK(usage.getMemoryPeakBytes() > 40 * 1024 * 1024);
  CHECK(usage.getMemoryPeakBytes() < 80 * 1024 * 1024);
  CHECK(usage.getOutOfMemory() == 0);
}

// Of a program: its control group.
constexpr kj::StringPtr OWN_GROUP = "g=/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup); "_kj;

TEST_CASE(
    "P13 P32 a program hands on what it has to groups of its own, and those that start next have "
    "theirs") {
  auto& workspace = sharedWorkspace().workspace;
  auto bomb = kj::strArray(MEMORY_BOMB, " ");
  // As engines do: the processes move into a leaf first, because a group that hands on controllers has none.
  auto script = kj::str(OWN_GROUP,
                        "mkdir $g/init $g/job && echo $$ > $g/init/cgroup.procs && "
                        "echo '+cpu +memory +pids' > $g/cgroup.subtree_control && "
                        "echo 20M > $g/job/memory.max && echo 5 > $g/job/pids.max && "
                        "(echo 0 > $g/job/cgroup.procs; ",
                        bomb, "); echo $?; grep -w oom_kill $g/job/memory.events");
  auto nested = workspace.run({"/bin/sh"_kj, "-c"_kj, script}, "root");
  CHECK(nested.out == "137\noom_kill 1\n");
  CHECK(nested.status == "exited 0 out of memory");
  CHECK(
      workspace.shell(kj::str(OWN_GROUP, "cat $g/cgroup.controllers $g/memory.max $g/pids.max")) ==
      "cpu memory pids\nmax\nmax");
}

TEST_CASE(
    "P13 P32 an engine's groups at the root are within the limits of all programs, and outlive "
    "it") {
  auto& workspace = sharedWorkspace().workspace;
  auto bomb = kj::strArray(MEMORY_BOMB, " ");
  auto script = kj::str(
      "cd /sys/fs/cgroup && mkdir engine && "
      // All that the kernel has, and the engine asks for.
      "sed 's/^/+/; s/ / +/g' cgroup.controllers > cgroup.subtree_control && "
      "mkdir engine/box && sed 's/^/+/; s/ / +/g' engine/cgroup.controllers > "
      "engine/cgroup.subtree_control && "
      "(echo 0 > engine/box/cgroup.procs; ",
      bomb,
      "); grep -w oom_kill engine/memory.events; (echo 0 > engine/box/cgroup.procs; "
      "exec setsid sleep 1000 > /dev/null 2>&1 &) ");
  CHECK(workspace.shell(script, "root") == "oom_kill 1");
  CHECK(workspace.shell("cat /sys/fs/cgroup/engine/box/cgroup.procs | wc -l") == "1");
  CHECK(workspace.run({"/bin/true"_kj}).status == "exited 0");
  CHECK(workspace.run(MEMORY_BOMB).status == "killed 9 out of memory");
  workspace.shell(
      "echo 1 > /sys/fs/cgroup/engine/cgroup.kill; cd /sys/fs/cgroup && until rmdir engine/box "
      "engine; do :; done",
      "root");
}

// A command of root's in which `script`, without quotes, sees all control groups, as the agent does, at /mnt.
kj::String amidAllGroups(kj::StringPtr script) {
  return kj::str(
      "nsenter -t 1 -C unshare -m sh -c 'mount -t cgroup2 -o nsdelegate,memory_recursiveprot "
      "none /mnt && ",
      script, "'");
}

TEST_CASE("S42 where programs have no process left a terminal opens in the reserve, and says so") {
  auto& [host, workspace] = sharedWorkspace();
  auto groups = workspace.shell("cat /proc/self/cgroup", "root");
  CHECK(groups.startsWith("0::/commands/program-"));
  auto limit = workspace.shell(amidAllGroups("cat /mnt/bothy/programs/pids.max"), "root");
  workspace.shell(amidAllGroups("echo 4 > /mnt/bothy/programs/pids.max"), "root");
  TestTerminal terminal(workspace, {.user = "root"});
  terminal.waitForText("small reserve");
  terminal.type("cat /proc/self/cgroup; ulimit -u\r");
  terminal.waitForText("0::/../reserve/program-");
  terminal.waitForText("unlimited");
  // A second one does not take the place of the first; there are only so many.
  TestTerminal second(workspace, {.user = "root"}), third(workspace, {.user = "root"}),
      fourth(workspace, {.user = "root"});
  fourth.waitForText("small reserve");
  terminal.type(kj::str(amidAllGroups(kj::str("echo ", limit, " > /mnt/bothy/programs/pids.max")),
                        "; exit\r"));
  terminal.waitForExit();
  for (auto other : {&second, &third, &fourth}) {
    other->type("exit\r");
    other->waitForExit();
  }
  CHECK(workspace.run({"/bin/true"_kj}).status == "exited 0");
}

TEST_CASE(
    "S42 programs see no control group but those of programs, and the agent's cannot be entered") {
  auto& workspace = sharedWorkspace().workspace;
  CHECK(workspace.shell("ls -d /sys/fs/cgroup/*/ | xargs -n1 basename", "root") ==
        "commands\nterminals");
  CHECK(
      workspace.shell("umount /sys/fs/cgroup && ls -A /sys/fs/cgroup; "
                      "mount -t cgroup2 none /sys/fs/cgroup; ls /sys/fs/cgroup | grep -c bothy; :",
                      "root") == "0");
  // Limits of all programs are not theirs to lift.
  CHECK(workspace.shell("echo max > /sys/fs/cgroup/pids.max; echo max > /sys/fs/cgroup/memory.max; "
                        "grep -c max /sys/fs/cgroup/pids.max /sys/fs/cgroup/memory.max; :",
                        "root") == "/sys/fs/cgroup/pids.max:0\n/sys/fs/cgroup/memory.max:0");
}

// Forks as fast as it can, and does nothing else: its processes meet their limit; or those have so much that they meet that of
// memory.
constexpr kj::StringPtr SMALL_FORK_BOMB = "f() { while :; do f & done; }; f"_kj;
constexpr kj::StringPtr LARGE_FORK_BOMB =
    "exec python3 -c 'import os\nwhile True:\n  try: os.fork(); x = b\"x\" * 1000000\n  except OSError: pass'"_kj;

TEST_CASE(
    "S42 while a fork bomb of root's runs a terminal opens, and what is typed there ends it") {
  auto& [host, workspace] = sharedWorkspace();
  const auto before = uptimeMillis(workspace);
  for (auto script : {SMALL_FORK_BOMB, LARGE_FORK_BOMB}) {
    CAPTURE(script.cStr());
    auto bomb = workspace.start({"/bin/sh"_kj, "-c"_kj, script}, "root");
    // Until it has come to its limit.
    uint32_t most = 0, same = 0;
    while (same < 20) {
      auto processes = workspace.health().getProcesses();
      same = processes > most ? 0 : same + 1;
      most = kj::max(most, processes);
      host.timer.afterDelay(20 * kj::MILLISECONDS).wait(host.scope);
    }
    TestTerminal terminal(workspace, {.user = "root"});
    terminal.type("echo up $((40 + 2))\r");
    terminal.waitForText("up 42");
    terminal.type("kill -9 -1\r");
    host.wait(kj::mv(bomb).ignoreResult(), "the end of the bomb");
    terminal.type("exit\r");
    terminal.waitForExit();
    CHECK(workspace.run({"/bin/true"_kj}).status == "exited 0");
  }
  CHECK(uptimeMillis(workspace) > before);
}

TEST_CASE("P45 S42 a machine full of a fork bomb of root's ends in order, within its time") {
  auto& [host, workspace] = sharedWorkspace();
  auto bomb = workspace.start({"/bin/sh"_kj, "-c"_kj, SMALL_FORK_BOMB}, "root")
                  .ignoreResult()
                  .catch_([](kj::Exception&&) {})
                  .eagerlyEvaluate(nullptr);
  while (workspace.health().getProcesses() < 500) {
    host.timer.afterDelay(20 * kj::MILLISECONDS).wait(host.scope);
  }
  CHECK(host.stopWorkspace("test", 3000) == rpc::Supervisor::StopKind::ORDERLY);
  workspace.startAgain();
  CHECK(workspace.run({"/bin/true"_kj}).status == "exited 0");
}

TEST_CASE(
    "P44 a disk that fills up is an event at nine tenths, while the program that fills it runs") {
  auto& [host, workspace] = sharedWorkspace();
  EventRecord events(host, EventRecord::newest(host));
  auto filling = workspace
                     .start({"/bin/sh"_kj, "-c"_kj,
                             "dd if=/dev/zero of=/home/user/fill bs=1M; exec sleep 1000"_kj})
                     .ignoreResult()
                     .catch_([](kj::Exception&&) {})
                     .eagerlyEvaluate(nullptr);
  events.waitFor(rpc::Cause::DISK_FILLING);
  workspace.shell("pkill -x sleep; rm /home/user/fill");
  host.wait(kj::mv(filling), "the end of what filled it");
}

TEST_CASE("P09 the end of a program is an event, with how it ended") {
  auto& [host, workspace] = sharedWorkspace();
  EventRecord events(host, EventRecord::newest(host));
  workspace.run({"/bin/sh"_kj, "-c"_kj, "exit 7"_kj});
  events.waitUntil(
      [&]() {
        for (auto event : events.all()) {
          if (event.getCause() == rpc::Cause::PROGRAM_ENDED &&
              event.getDetail() == "command /bin/sh: exited with 7") {
            return true;
          }
        }
        return false;
      },
      "the end of a program");
}

TEST_CASE(
    "that commands run in a machine, and that somebody types there, is known of its workspace") {
  auto& [host, workspace] = sharedWorkspace();
  // The agent tells it a minute after the last time at the latest.
  auto until = [&](kj::StringPtr what, auto&& isSo) {
    auto& clock = kj::systemPreciseMonotonicClock();
    const auto limit = clock.now() + 2 * kj::MINUTES;
    while (!isSo(workspace.info().getActivity())) {
      KJ_REQUIRE(clock.now() < limit, what);
      host.timer.afterDelay(100 * kj::MILLISECONDS).wait(host.scope);
    }
  };
  auto running = workspace.start({"/bin/sleep"_kj, "1000"_kj})
                     .ignoreResult()
                     .catch_([](kj::Exception&&) {})
                     .eagerlyEvaluate(nullptr);
  until("a command", [](auto activity) { return activity.getCommands() > 0; });
  TestTerminal terminal(workspace, {.argv = {"/bin/sh"_kj}});
  auto& clock = kj::systemPreciseMonotonicClock();
  const auto typed = clock.now();
  terminal.type("exit\r");
  workspace.shell("pkill -x sleep");
  host.wait(kj::mv(running), "its end");
  // And not that of somebody before.
  until("its end, and input", [&](auto activity) {
    return activity.getCommands() == 0 && activity.getInput().isSinceMillis() &&
           activity.getInput().getSinceMillis() * kj::MILLISECONDS <= clock.now() - typed;
  });
}

TEST_CASE("a port is an event when a program opens and when it closes it, without a look at it") {
  auto& [host, workspace] = sharedWorkspace();
  EventRecord events(host, EventRecord::newest(host));
  auto has = [&](rpc::Cause cause, kj::StringPtr detail) {
    for (auto event : events.all()) {
      if (event.getCause() == cause && event.getDetail() == detail) return true;
    }
    return false;
  };
  auto await = [&](rpc::Cause cause, kj::StringPtr detail) {
    events.waitUntil([&]() { return has(cause, detail); }, detail);
  };
  auto serving = workspace
                     .start({"/usr/bin/python3"_kj, "-c"_kj,
                             "import socket, time\n"
                             "a = socket.create_server(('', 8080))\n"
                             "b = socket.create_server(('127.0.0.1', 8081))\n"
                             "c = socket.create_server(('::1', 8082), family=socket.AF_INET6)\n"
                             "a.listen(1)\n"
                             "socket.create_connection(('127.0.0.1', 8080)).close()\n"
                             "time.sleep(1000)"_kj})
                     .ignoreResult()
                     .catch_([](kj::Exception&&) {})
                     .eagerlyEvaluate(nullptr);
  await(rpc::Cause::PORT_OPENED, "8080");
  await(rpc::Cause::PORT_OPENED, "8081, from within alone");
  await(rpc::Cause::PORT_OPENED, "8082, from within alone");
  CHECK_FALSE(has(rpc::Cause::PORT_CLOSED, "8080"));
  // A socket of another network is none of the machine's.
  workspace.shell("unshare -n python3 -c 'import socket; socket.create_server((\"\", 8090))'",
                  "root");
  workspace.shell("pkill -x python3");
  host.wait(kj::mv(serving), "its end");
  await(rpc::Cause::PORT_CLOSED, "8080");
  await(rpc::Cause::PORT_CLOSED, "8082, from within alone");
  CHECK_FALSE(has(rpc::Cause::PORT_OPENED, "8090"));
}

// What a user tries on PID 1, a line each with what came of it.
constexpr kj::StringPtr ATTACKS = R"python(
import ctypes, os, socket
def attempt(name, act):
    try:
        act()
        print(name, "done")
    except OSError as e:
        print(name, os.strerror(e.errno) if e.errno else e)
libc = ctypes.CDLL(None, use_errno=True)
def trace():
    if libc.ptrace(16, 1, 0, 0) < 0: raise OSError(ctypes.get_errno(), "")
def dial(cid):
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as s:
        s.settimeout(5)
        s.connect((cid, 1000))
def write(path):
    with open(path, "w") as f: f.write("0")
for number in (1, 9, 10, 12, 15, 36): attempt("signal", lambda: os.kill(1, number))
attempt("trace", trace)
for name in ("mem", "environ", "maps", "fd/0", "cwd/x"): attempt(name, lambda: open("/proc/1/" + name).read())
attempt("namespace", lambda: open("/proc/1/ns/cgroup"))
own = "/sys/fs/cgroup" + open("/proc/self/cgroup").read().split(":")[2].strip()
for path in ("/sys/fs/cgroup", "/sys/fs/cgroup/terminals", own):
    attempt("group", lambda: write(path + "/cgroup.procs"))
attempt("freeze", lambda: write(own + "/cgroup.freeze"))
attempt("limit", lambda: write("/sys/fs/cgroup/pids.max"))
for cid in (1, 2, 0xffffffff): attempt("dial", lambda: dial(cid))
)python"_kj;
constexpr size_t ATTACK_COUNT = 21;

TEST_CASE("S42 a user without rights reaches nothing of the agent's") {
  auto& workspace = sharedWorkspace().workspace;
  auto tried = workspace.run({"/usr/bin/python3"_kj, "-c"_kj, ATTACKS});
  INFO(tried.out.cStr() << tried.err.cStr());
  CHECK(tried.status == "exited 0");
  CHECK(strstr(tried.out.cStr(), "done") == nullptr);
  size_t lines = 0;
  for (char c : tried.out) lines += c == '\n';
  CHECK(lines == ATTACK_COUNT);
}

}  // namespace
}  // namespace bothy
