// What becomes of lanes when one of those who have to do with them is killed.

#include <kj/debug.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <future>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "support/host-program.h"
#include "support/test-workspace.h"

namespace bothy {
namespace {

// So many of each kind: a spare that is made ready beside them makes no difference.
constexpr int CLIENTS = 3;

struct Lanes {
  SupervisedHost host;
  TestWorkspace workspace{host};
  // The test's own, before any client came.
  const int before = count();

  int count() { return atoi(workspace.shell("ss -H --vsock state established | wc -l").cStr()); }
  // A `bothy` in the background.
  pid_t start(kj::StringPtr arguments) {
    auto line = kj::str(BOTHY_PROGRAM " --socket ", host.socket(), " ", arguments);
    return atoi(hostOutput({"/bin/sh"_kj, "-c"_kj,
                            kj::str("cd ", host.directory(), "; ", line,
                                    " </dev/null >/dev/null 2>&1 & echo $!")})
                    .cStr());
  }
  // Kills the clients when the guest has had their lanes, and waits until it has them no more: far less than it takes
  // to look at idle lanes.
  void kill(kj::ArrayPtr<const pid_t> clients) {
    KJ_DEFER(for (auto pid : clients)::kill(pid, SIGKILL));
    workspace.shell(
        kj::str("for i in $(seq 300); do test $(ss -H --vsock state established | "
                "wc -l) -ge ",
                before + CLIENTS - 1, " && exit 0; sleep 0.1; done; exit 1"));
    for (auto pid : clients) KJ_SYSCALL(::kill(pid, SIGKILL));
    workspace.shell(
        kj::str("for i in $(seq 40); do test $(ss -H --vsock state established | "
                "wc -l) -le ",
                before + 1, " && exit 0; sleep 0.1; done; exit 1"));
  }
  void startAndKill(kj::StringPtr arguments) {
    pid_t clients[CLIENTS];
    for (auto& client : clients) client = start(arguments);
    kill(clients);
  }
};

TEST_CASE("P12 the agent notices at once that a client under exec was killed") {
  Lanes lanes;
  lanes.startAndKill("exec test -- sleep 1000");
  lanes.startAndKill("exec test -- yes");
}

TEST_CASE("P12 the agent notices at once that the only viewer of a terminal was killed") {
  Lanes lanes;
  lanes.startAndKill("shell test -- sleep 1000");
  CHECK(lanes.workspace.shell("pgrep -c -f 'sleep 1000'") != "0");
}

TEST_CASE("P12 the agent notices at once that a client under cp was killed, and keeps nothing") {
  Lanes lanes;
  lanes.workspace.shell("head -c 200M /dev/urandom > big");
  pid_t clients[CLIENTS];
  for (int i = 0; i < CLIENTS; i++) clients[i] = lanes.start(kj::str("cp test:big down", i));
  lanes.kill(clients);
}

TEST_CASE(
    "S26 a lane whose client reads nothing, and so the agent nothing of it, ends with its client") {
  Lanes lanes;
  pid_t clients[CLIENTS];
  for (auto& client : clients) client = lanes.start("exec test -- yes");
  lanes.workspace.shell("until test $(pgrep -c -x yes) = 3; do sleep 0.1; done");
  for (auto pid : clients) stopAndWait(pid);
  // Until every buffer on the way is full.
  lanes.workspace.shell("sleep 2");
  lanes.kill(clients);
}

TEST_CASE("P12 P41 the agent notices that a client was killed also after a restart of bothyd") {
  Lanes lanes;
  pid_t clients[CLIENTS];
  for (auto& client : clients) client = lanes.start("exec test -- yes");
  lanes.workspace.shell("until test $(pgrep -c -x yes) = 3; do sleep 0.1; done");
  lanes.host.restart(SIGKILL);
  // Now only the agent looks.
  lanes.kill(clients);
}

// Clients at work, each a `bothy` of its own.
class Workers {
public:
  explicit Workers(SupervisedHost& host) : socket(host.socket()) {}

  std::future<FinishedProgram> start(kj::ArrayPtr<const kj::StringPtr> arguments) {
    // The library's own, as std::async wants it.
    std::vector<std::string> words = {BOTHY_PROGRAM, "--socket", socket.cStr()};
    for (auto word : arguments) words.emplace_back(word.cStr());
    return std::async(std::launch::async, [words]() {
      kj::Vector<kj::StringPtr> argv;
      for (auto& word : words) argv.add(word.c_str());
      return runProgram(argv);
    });
  }
  static bool isRunning(std::future<FinishedProgram>& worker) {
    return worker.wait_for(std::chrono::seconds(0)) == std::future_status::timeout;
  }

private:
  kj::String socket;
};

// The far ends of the agent's connections, by their ports.
std::set<std::string> connectionsTo(TestWorkspace& workspace) {
  auto text = workspace.shell("ss -H --vsock state established | awk '{print $NF}'");
  std::set<std::string> ports;
  std::istringstream lines(text.cStr());
  for (std::string line; std::getline(lines, line);) ports.insert(line);
  return ports;
}

TEST_CASE("P41 kill -9 of bothyd under a copy and ten terminals costs no lane and no byte") {
  const bool full = getenv("BOTHY_FULL") != nullptr;
  // Outlives the host: it waits for programs that end without one.
  std::future<FinishedProgram> terminals[10];
  SupervisedHost host;
  TestWorkspace workspace(host, {.memoryMib = 512, .diskMib = full ? 3072u : 512u});
  Workers workers(host);
  // Pauses without a process each.
  workspace.shell("mkfifo pause");
  for (auto& terminal : terminals) {
    terminal = workers.start(
        {"shell"_kj, "test"_kj, "--"_kj, "bash"_kj, "-c"_kj,
         "exec 3<>~/pause; until test -e ~/stop; do echo $((++i)); read -t 0.1 -u 3; done; exit 7"_kj});
  }
  workspace.shell("until test $(pgrep -c -f '^bash -c exec 3') = 10; do sleep 0.1; done");

  // There and back again.
  auto from = kj::str(host.directory(), "/from"), to = kj::str(host.directory(), "/to");
  hostOutput(
      {"/bin/sh"_kj, "-c"_kj, kj::str("head -c ", full ? "1G" : "64M", " /dev/urandom > ", from)});
  auto copyUnderKill = [&](kj::StringPtr source, kj::StringPtr target) {
    auto before = connectionsTo(workspace);
    auto copy = workers.start({"cp"_kj, source, target});
    // It has its lane when the next connection is ready.
    while (Workers::isRunning(copy) && connectionsTo(workspace).size() <= before.size()) {
    }
    host.stop(SIGKILL);
    CHECK(Workers::isRunning(copy));
    host.start();
    host.supervisor();
    auto finished = copy.get();
    INFO(finished.err.cStr());
    CHECK(finished.status == 0);
    // A client that connects again says so.
    CHECK(strstr(finished.err.cStr(), "bothy:") == nullptr);
    auto after = connectionsTo(workspace);
    // bothyd's own: its control lane, and the connection that was ready.
    CHECK(std::count_if(before.begin(), before.end(),
                        [&](auto& port) { return after.count(port) == 0; }) <= 2);
  };
  copyUnderKill(from, "test:copy");
  copyUnderKill("test:copy", to);
  CHECK(runProgram({"/usr/bin/cmp"_kj, from, to}).status == 0);

  workspace.shell("touch stop");
  for (auto& terminal : terminals) {
    auto finished = terminal.get();
    INFO(finished.err.cStr());
    CHECK(finished.status == 7);
    // 1, 2, 3, ... to the end.
    kj::Vector<char> expected;
    for (uint i = 1; expected.size() < finished.out.size(); i++) {
      expected.addAll(kj::str(i, "\r\n"));
    }
    CHECK(expected.size() > 50);
    CHECK(expected.asPtr() == finished.out.asArray());
  }
}

}  // namespace
}  // namespace bothy
