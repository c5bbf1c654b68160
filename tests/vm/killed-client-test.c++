// What the agent still holds of a client that was killed, and for how long.  All scenarios share a machine.

#include <kj/debug.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <catch2/catch_test_macros.hpp>

#include "support/background-client.h"
#include "support/host-program.h"
#include "support/shared-workspace.h"

namespace bothy {
namespace {

// The promise: from the moment at which the guest's kernel knows that the host's end is gone.
constexpr int NOTICE_LIMIT_MILLIS = 1000;
// From before the kill.  The second that is promised, and one for what is no part of it: the test's own way to the kill.
constexpr int WHOLE_LIMIT_MILLIS = 2000;
// Or so many looks, if that is longer: a look takes some 60 ms, and more only where the host is so busy that the guest, and the agent in
// it, have a fraction of a processor.
constexpr int NOTICE_LIMIT_LOOKS = 8;
constexpr int WHOLE_LIMIT_LOOKS = 16;

constexpr int CLIENTS = 2;
// Of a copy under way: more than a client reads or writes before it copies, and much less than there is to copy.
constexpr uint64_t BEGUN_BYTES = 8 * 1024 * 1024;
constexpr kj::StringPtr COPIED_SIZE = "200M"_kj;

// For a shell of the guest's root: what the agent itself has open, and the connections that the guest's kernel knows.  The first look
// begins no program, so that it costs little of the second that is measured; and the shell leaves the cgroup of programs, so
// that what clients run takes no more from it than from the agent.
constexpr kj::StringPtr EYES = R"bash(
nsenter -t 1 -C unshare -m sh -c 'mount -t cgroup2 -o nsdelegate,memory_recursiveprot none /mnt && echo $PPID > /mnt/cgroup.procs'
look() {
  local fd other word inode unix seen=()
  mapfile -t unix < /proc/net/unix
  for fd in /proc/1/fd/*; do
    [[ -S $fd ]] || continue
    # One to a file worker stays for a while without a lane.
    while read -r word inode; do [[ $word != ino: ]] || break; done < "/proc/1/fdinfo/${fd##*/}"
    [[ "${unix[*]} " != *" $inode "* ]] || continue
    # A lane on which the agent waits has a second descriptor.
    for other in "${seen[@]}"; do [[ ! $fd -ef $other ]] || continue 2; done
    seen+=("$fd")
  done
  sockets=${#seen[@]}
}
count() { connections=$(ss -H --vsock state established | wc -l); }
millis() { now=$((${EPOCHREALTIME/./} / 1000)); }
fail() {
  {
    count; echo "sockets and connections: $sockets $connections"
    stat -c %N /proc/1/fd/* | grep socket; ss -a -p --vsock
  } >&2
  exit 1
}

# rest: prints how many there are of both, when neither changes any more.
rest() {
  local same=0 i seen last
  for ((i = 0; i < 100; i++)); do
    look; count; seen="$sockets $connections"
    if [[ $seen == "$last" ]]; then same=$((same + 1)); else same=0; fi
    last=$seen
    ((same < 5)) || { echo $seen; exit 0; }
    sleep 0.1
  done
  fail
}

# await SOCKETS: waits until there are so many.  There may be one more at times: on a busy machine bothyd dials again beside a dial.
await() {
  local seen=0 i
  for ((i = 0; i < 100; i++)); do
    look
    ((sockets != $1)) || seen=$((seen + 1))
    ((sockets >= $1)) || seen=0
    ((seen < 3)) || exit 0
    sleep 0.1
  done
  fail
}

# watch SOCKETS CONNECTIONS: waits until there are no more than so many; prints the milliseconds and the looks from the last at which the
# kernel had more connections to the first at which the agent had no more sockets, and from the begin to that.
watch() {
  local told= toldAt=0 begin before i
  millis; begin=$now; touch /run/watching
  for ((i = 1; i <= 1000; i++)); do
    before=$now; millis
    if [[ ! $told ]]; then count; ((connections > $2)) || { told=$before; toldAt=$((i - 1)); }; fi
    look; millis
    ((sockets > $1)) || { echo $((now - ${told:-$before})) $((i - ${toldAt:-i})) $((now - begin)) $i; exit 0; }
    sleep 0.02
  done
  fail
}
)bash"_kj;

struct Held {
  int sockets;      // of the agent
  int connections;  // of the guest's kernel
};

struct Delay {
  int millis, looks;

  bool isWithin(int maxMillis, int maxLooks) const {
    return millis <= maxMillis || looks <= maxLooks;
  }
};

class KilledClients {
public:
  TestWorkspace& workspace = sharedWorkspace({.diskMib = 1024}).workspace;
  SupervisedHost& host = workspace.host;
  // With no client but the test.
  const Held rest = atRest();

  void start(kj::ArrayPtr<const kj::StringPtr> arguments, int count = CLIENTS) {
    for (int i = 0; i < count; i++) {
      clients.add(kj::heap<BackgroundClient>(host, arguments, BackgroundClient::Output::DROPPED));
    }
  }
  BackgroundClient& last() { return *clients.back(); }
  void stopAll() {
    for (auto& client : clients) client->stop();
  }

  // Waits until the guest has one of each client.
  void awaitPrograms(kj::StringPtr name) {
    workspace.shell(kj::str("for i in $(seq 600); do test $(pgrep -c -x ", name,
                            ") = ", clients.size(), " && exit 0; sleep 0.1; done; exit 1"));
  }
  // Others may have to do with them for some time.
  void endPrograms(kj::StringPtr name) {
    workspace.shell(kj::str("pkill -x ", name, "; while pgrep -x ", name, "; do sleep 0.1; done"));
  }
  // Waits until the agent has a lane of each client, and the connection that bothyd keeps ready.
  void awaitLanes() {
    eyes(kj::str("await ", rest.sockets + clients.size()), "the clients' lanes");
  }

  // Only the agent looks for the ends of their lanes from here on.
  void restartBothyd() {
    host.restart(SIGKILL);
    host.supervisor();
    awaitLanes();
  }

  // Kills all clients.  The agent has to hold in time what it held without them.
  void killAll() {
    workspace.shell("rm -f /run/watching", "root");
    auto watching = bash(kj::str("watch ", rest.sockets, " ", rest.connections));
    workspace.shell("until test -e /run/watching; do sleep 0.02; done", "root");
    for (auto& client : clients) {
      CHECK(client->isRunning());
      client->kill();
    }
    clients.clear();
    auto finished = host.wait(kj::mv(watching), "the agent's notice");
    INFO(finished.err.cStr());
    REQUIRE(finished.status == "exited 0");
    Delay afterKernel, whole;
    REQUIRE(sscanf(finished.out.cStr(), "%d %d %d %d", &afterKernel.millis, &afterKernel.looks,
                   &whole.millis, &whole.looks) == 4);
    INFO(finished.out.cStr());
    CHECK(afterKernel.isWithin(NOTICE_LIMIT_MILLIS, NOTICE_LIMIT_LOOKS));
    CHECK(whole.isWithin(WHOLE_LIMIT_MILLIS, WHOLE_LIMIT_LOOKS));
    if (getenv("BOTHY_FULL") != nullptr) WARN(finished.out.cStr());
  }

private:
  kj::Vector<kj::Own<BackgroundClient>> clients;

  kj::Promise<Finished> bash(kj::StringPtr script) {
    auto text = kj::str(EYES, script);
    return workspace.start({"/bin/bash"_kj, "-c"_kj, text}, "root").attach(kj::mv(text));
  }
  kj::String eyes(kj::StringPtr script, kj::StringPtr what) {
    auto finished = host.wait(bash(script), what);
    INFO(script.cStr());
    INFO(finished.err.cStr());
    REQUIRE(finished.status == "exited 0");
    return kj::mv(finished.out);
  }
  Held atRest() {
    Held held = {};
    auto text = eyes("rest", "the agent to come to rest");
    REQUIRE(sscanf(text.cStr(), "%d %d", &held.sockets, &held.connections) == 2);
    return held;
  }
};

enum class Bothyd { STAYS, IS_KILLED };

struct Work {
  kj::ArrayPtr<const kj::StringPtr> arguments;
  kj::StringPtr program;  // that each client has the guest run
  bool isKept = false;    // it goes on for whoever comes back
};
constexpr kj::StringPtr IDLE[] = {"exec"_kj, "test"_kj, "--"_kj, "sleep"_kj, "1000"_kj};
constexpr kj::StringPtr LOUD[] = {"exec"_kj, "test"_kj, "--"_kj, "yes"_kj};
constexpr kj::StringPtr VIEWED[] = {"shell"_kj, "test"_kj, "--"_kj, "sleep"_kj, "1000"_kj};

void killAtWork(Bothyd bothyd, std::initializer_list<Work> works) {
  KilledClients killed;
  for (auto& work : works) {
    INFO(kj::strArray(work.arguments, " ").cStr());
    killed.start(work.arguments);
    killed.awaitPrograms(work.program);
    killed.awaitLanes();
    if (bothyd == Bothyd::IS_KILLED) killed.restartBothyd();
    killed.killAll();
    if (work.isKept) killed.workspace.shell(kj::str("pgrep -x ", work.program));
    killed.endPrograms(work.program);
  }
}

TEST_CASE("P12 the agent notices within a second that a client under exec was killed") {
  killAtWork(Bothyd::STAYS, {{IDLE, "sleep"_kj}, {LOUD, "yes"_kj}});
}

TEST_CASE("P12 the agent notices within a second that the only viewer of a terminal was killed") {
  killAtWork(Bothyd::STAYS, {{VIEWED, "sleep"_kj, true}});
}

TEST_CASE("P12 P41 the agent notices a killed client within a second after a restart of bothyd") {
  killAtWork(Bothyd::IS_KILLED, {{IDLE, "sleep"_kj}, {LOUD, "yes"_kj}, {VIEWED, "sleep"_kj, true}});
}

void killDeafClients(Bothyd bothyd) {
  KilledClients killed;
  killed.start(LOUD);
  killed.awaitPrograms("yes");
  killed.awaitLanes();
  killed.stopAll();
  // Until every buffer on the way is full.
  killed.workspace.shell(
      "for i in $(seq 100); do "
      "now=$(cat $(pgrep -x yes | sed 's|.*|/proc/&/io|') | awk '/^wchar/ { print $2 }'); "
      "test \"$now\" = \"$last\" && exit 0; last=$now; sleep 0.5; done; exit 1");
  if (bothyd == Bothyd::IS_KILLED) killed.restartBothyd();
  killed.killAll();
  killed.endPrograms("yes");
}

TEST_CASE(
    "S26 a lane whose client reads nothing, and so the agent nothing of it, ends with its client") {
  killDeafClients(Bothyd::STAYS);
}

TEST_CASE(
    "S26 P41 a lane whose client reads nothing ends with its client also after a restart of "
    "bothyd") {
  killDeafClients(Bothyd::IS_KILLED);
}

// What the guest's root sees of a copy: files that the agent and its file worker have open, names in the user's home, and the children of
// both.  The worker itself stays for a while.
kj::String tracesIn(TestWorkspace& workspace) {
  return workspace.shell(
      "worker=$(pgrep -x bothy-files); readlink /proc/1/fd/* ${worker:+/proc/$worker/fd/*} | grep "
      "^/home/; find /home/user | sort; ps -o comm= --ppid 1${worker:+,$worker} | grep -vxE "
      "'bothy-(files|next)' | sort",
      "root");
}

uint64_t usedKib(TestWorkspace& workspace) {
  auto used = workspace.shell("sync; df --output=used -k /home/user | tail -n 1", "root");
  return strtoull(used.cStr(), nullptr, 10);
}

// How long the agent may take to remove what it has of a copy that broke off: it is not promised.
constexpr int REMOVAL_ATTEMPTS = 100;
// What a file system takes for its own books.
constexpr uint64_t SLACK_KIB = 1024;

// How long a client stands still before it is killed.
enum class Standstill { SHORT, LONG };
constexpr kj::Duration LONG_STANDSTILL = 10 * kj::SECONDS;

void killUnderCopies(Bothyd bothyd, Standstill standstill = Standstill::SHORT) {
  KilledClients killed;
  auto& workspace = killed.workspace;
  auto here = kj::str(killed.host.directory(), "/here"), tree = kj::str(here, "/tree"),
       file = kj::str(tree, "/file"), down = kj::str(here, "/down");
  hostOutput({"/bin/sh"_kj, "-c"_kj,
              kj::str("mkdir -p ", tree, "; head -c ", COPIED_SIZE, " /dev/zero > ", file)});
  workspace.shell(kj::str("mkdir tree; head -c ", COPIED_SIZE, " /dev/zero > tree/file"));
  const auto tracesBefore = tracesIn(workspace);
  const auto usedBefore = usedKib(workspace);

  const struct {
    kj::StringPtr from, to;
  } copies[] = {{file, "test:up"_kj},
                {tree, "test:up"_kj},
                {"test:tree/file"_kj, down},
                {"test:tree"_kj, down}};
  for (auto& copy : copies) {
    // Of a client that sends, and then nothing for some seconds, the agent looks more seldom after the end: see schema/README.md.
    if (standstill == Standstill::LONG && copy.to != down) continue;
    INFO("cp " << copy.from.cStr() << " " << copy.to.cStr());
    killed.start({"cp"_kj, copy.from, copy.to}, 1);
    killed.last().awaitTransfer(BEGUN_BYTES);
    // Far from done, and it stays so.
    killed.stopAll();
    killed.awaitLanes();
    if (bothyd == Bothyd::IS_KILLED) killed.restartBothyd();
    CHECK(tracesIn(workspace) != tracesBefore);

    if (standstill == Standstill::LONG) {
      killed.host.timer.afterDelay(LONG_STANDSTILL).wait(killed.host.scope);
    } else {
      const auto transferred = killed.last().transferred();
      killed.last().resume();
      killed.last().awaitTransfer(transferred + BEGUN_BYTES);
      killed.stopAll();
    }
    killed.killAll();
    auto traces = tracesIn(workspace);
    for (int i = 0; i < REMOVAL_ATTEMPTS && traces != tracesBefore; i++) {
      traces = tracesIn(workspace);
    }
    CHECK(traces == tracesBefore);
    CHECK(usedKib(workspace) <= usedBefore + SLACK_KIB);
    hostOutput({"/bin/rm"_kj, "-rf"_kj, down});
  }
  hostOutput({"/bin/rm"_kj, "-r"_kj, here});
  workspace.shell("rm -r tree");
}

TEST_CASE(
    "P12 the agent notices within a second that a client under cp was killed, and keeps nothing") {
  killUnderCopies(Bothyd::STAYS);
}

TEST_CASE(
    "P12 P41 the agent notices that a client under cp was killed after a restart of bothyd, and "
    "keeps nothing") {
  killUnderCopies(Bothyd::IS_KILLED);
}

TEST_CASE(
    "P12 P41 the agent notices within a second that a client that stood still under cp out of the "
    "machine was killed after a restart of bothyd") {
  killUnderCopies(Bothyd::IS_KILLED, Standstill::LONG);
}

}  // namespace
}  // namespace bothy
