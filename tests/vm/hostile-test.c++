// Peers that keep no rule, in and outside of real machines.

#include <kj/debug.h>
#include <signal.h>
#include <stdlib.h>

#include <catch2/catch_test_macros.hpp>

#include "lane/lane-descriptor.h"
#include "lane/lane-greeting.h"
#include "schema/limits.capnp.h"
#include "support/besieged.h"
#include "support/broken-image.h"
#include "support/host-memory.h"
#include "support/host-program.h"
#include "support/hostile-process.h"
#include "support/test-workspace.h"

namespace bothy {
namespace {

constexpr uint64_t MIB = 1024 * 1024;
constexpr uint64_t MAX_GROWTH = 16 * MIB;
constexpr int ECHOES = 5;
constexpr kj::Duration ECHO_PAUSE = 2 * kj::MILLISECONDS;
constexpr int ORPHANS = 200;
// The promise, under whatever attack.
constexpr kj::Duration SIGTERM_LIMIT = 1 * kj::SECONDS;
// A guest that floods one lane takes the next when it comes to that.
constexpr int ATTACK_LOOKS = 300;
constexpr kj::Duration ATTACK_LOOK_PAUSE = 100 * kj::MILLISECONDS;

bool isFull() {
  return getenv("BOTHY_FULL") != nullptr;
}

// The most that bothyd takes while it answers, and another workspace does.
uint64_t echo(SupervisedHost& host, TestWorkspace& workspace) {
  uint64_t most = 0;
  for (int i = 0; i < (isFull() ? 5 * ECHOES : ECHOES); i++) {
    CHECK(workspace.shell("echo here") == "here");
    CHECK(host.stateOf("hostile") == rpc::WorkspaceState::RUNNING);
    most = kj::max(most, residentBytes(host.pid()));
  }
  return most;
}

// Until the guest has begun so many attacks: it says each on its console.
void awaitAttacks(SupervisedHost& host, size_t count) {
  auto counting =
      kj::str("cat ", host.directory(), "/state/consoles/* | grep -c 'hostile: .* control '");
  for (int looks = 0; looks < ATTACK_LOOKS; looks++) {
    auto begun = runProgram({"/bin/sh"_kj, "-c"_kj, counting}).out;
    if (strtoull(kj::str(begun).cStr(), nullptr, 10) >= count) return;
    host.timer.afterDelay(ATTACK_LOOK_PAUSE).wait(host.scope);
  }
  FAIL("the guest has not begun attack " << count);
}

// A machine whose guest attacks.
class HostileGuest final: public Attacker {
public:
  // `id`: the workspace's.
  explicit HostileGuest(kj::StringPtr id)
      : qemu(atoi(
            hostOutput({"/usr/bin/pgrep"_kj, "-f"_kj, kj::str("^[^ ]*qemu-system-x86_64 .*", id)})
                .cStr())) {
    KJ_REQUIRE(qemu > 0, id);
  }
  KJ_DISALLOW_COPY_AND_MOVE(HostileGuest);

  // Where one attack has ended the next begins.
  bool hasEnded() override { return false; }
  void pause() override { stopAndWait(qemu); }
  void goOn() override { KJ_SYSCALL(kill(qemu, SIGCONT)); }

private:
  const pid_t qemu;
};

// Whether a bothyd that has just begun answers others in time while the guest, which stands still so far, attacks; with BOTHY_FULL also the
// other machine, whose lanes do not pass bothyd: it shares the host with both, and a call takes it long.
void checkInTime(SupervisedHost& host, HostileGuest& guest, TestWorkspace& good) {
  auto system = good.system();
  auto echo = [&]() {
    // An attack is over with its first message, and none comes again soon: so few echoes are to meet it.
    return host.timer.afterDelay(ECHO_PAUSE).then([&]() {
      auto state = host.supervisor().getRequest();
      state.setName(good.name);
      kj::Promise<void> answered = state.send().ignoreResult();
      if (!isFull()) return answered;
      return kj::joinPromises(
          kj::arr(kj::mv(answered), system.healthRequest().send().ignoreResult()));
    });
  };
  Besieged bothyd(host.io, host.pid(), echo,
                  {.turns = Besieged::LEAST_TURNS, .tries = 1, .percentile = 100});
  guest.goOn();
  bothyd.outlast(guest);
  if (isFull()) WARN(bothyd.figures().cStr());
  INFO(bothyd.figures().cStr());
  CHECK(bothyd.isInTime());
}

TEST_CASE("S01 a hostile agent neither grows nor stalls bothyd, and does not outlast a SIGTERM") {
  SupervisedHost host;
  BrokenImage(host).setInit(BOTHY_HOSTILE_AGENT);
  TestWorkspace good(host);
  host.restart(SIGTERM);
  good.reconnect();
  good.shell("true");
  const auto before = residentBytes(host.pid());

  auto request = host.supervisor().createRequest();
  auto spec = request.initSpec();
  spec.setName("hostile");
  spec.setImage("broken");
  spec.setDiskMib(256);
  auto response =
      host.wait(request.send().dropPipeline(), "the creation", SupervisedHost::BOOT_LIMIT);
  REQUIRE(response.getOutcome().isCreated());
  HostileGuest guest(response.getOutcome().getCreated().getId());

  // Each bothyd opens a control lane, and so meets the next attack: deaf ones first.
  const auto attacks = attacksOf(AttackerPart::CONTROL);
  const auto turns = attacks.size() * (isFull() ? 2 : 1);
  for (size_t turn = 0; turn < turns; turn++) {
    awaitAttacks(host, turn + 1);
    const auto growth = kj::max(echo(host, good), before) - before;
    INFO("attack " << turn << ": " << growth / MIB << " MiB");
    CHECK(growth <= MAX_GROWTH);
    auto& clock = kj::systemPreciseMonotonicClock();
    const auto began = clock.now();
    host.stop(SIGTERM);
    const auto took = clock.now() - began;
    INFO("SIGTERM took " << took / kj::MILLISECONDS << " ms");
    CHECK(took <= SIGTERM_LIMIT);
    if (isFull()) {
      WARN("attack " << turn << ": " << growth / 1024 << " KiB, SIGTERM took "
                     << took / kj::MILLISECONDS << " ms");
    }
    guest.pause();
    host.start();
    good.reconnect();
    checkInTime(host, guest, good);
  }
  // No bothyd has turned the guest away before its attack.
  for (auto attack : attacks) {
    INFO(kj::str(attack).cStr());
    CHECK(runProgram({"/bin/sh"_kj, "-c"_kj,
                      kj::str("grep -q 'hostile: ", attack, " control' ", host.directory(),
                              "/state/consoles/*")})
              .status == 0);
  }
}

// Everything a client may have of a machine, and nothing that it reads.
class GreedyClient final {
public:
  GreedyClient(SupervisedHost& host, kj::StringPtr workspace)
      : host(host), workspace(kj::str(workspace)) {}

  // Takes so many lanes, each to attack in another way, and others for those that the agent ends.
  void take(kj::uint lanes) {
    for (kj::uint i = 0; i < lanes; i++)
      takeOne(i % 2 == 0 ? LASTING[i / 2 % kj::size(LASTING)]
                         : TOO_MUCH[i / 2 % kj::size(TOO_MUCH)]);
    const auto deadline = host.now() + SupervisedHost::LIMIT;
    for (auto& attacker : attackers) {
      while (attacker.plan.part != AttackerPart::FILES && !attacker.process->hasEnded()) {
        KJ_REQUIRE(host.now() < deadline, "a client may ask for what is too much",
                   attacker.plan.attack);
        host.timer.afterDelay(10 * kj::MILLISECONDS).wait(host.scope);
      }
    }
    for (auto i = attacking(); i < lanes; i++) takeOne(LASTING[i % kj::size(LASTING)]);
  }

  // Those whose lanes the agent has not ended.
  kj::uint attacking() {
    kj::uint count = 0;
    for (auto& attacker : attackers) {
      if (!attacker.process->hasEnded()) ++count;
    }
    return count;
  }

private:
  struct Attacker {
    AttackPlan plan;
    kj::Own<HostileProcess> process;
  };
  static constexpr AttackPlan LASTING[] = {{Attack::DOWNLOADS, AttackerPart::FILES, false},
                                           {Attack::LISTINGS, AttackerPart::FILES, false},
                                           {Attack::WRITES, AttackerPart::FILES, false}};
  // Soon more unfinished questions than a client may have.  Calls that wait are not among them: those of two lanes use up what all
  // lanes may hold, and further lanes are not read, so that they are not ended either.
  static constexpr AttackPlan TOO_MUCH[] = {
      {Attack::CALLS, AttackerPart::INTERACTIVE, false},
      {Attack::BOOTSTRAPS, AttackerPart::INTERACTIVE, false},
  };

  SupervisedHost& host;
  const kj::String workspace;
  kj::Vector<kj::Own<RpcConnection>> connections;
  kj::Vector<rpc::Lane::Client> lanes;
  kj::Vector<Attacker> attackers;

  void takeOne(AttackPlan plan) {
    if (lanes.size() % rpc::MAX_SESSION_LANES == 0) connections.add(host.connect());
    auto supervisor = connections.back()->bootstrap().castAs<rpc::Supervisor>();
    auto request = supervisor.connectRequest();
    request.setName(workspace);
    auto wanted = request.initWanted();
    if (plan.part == AttackerPart::FILES) {
      wanted.initFiles().setAccess(rpc::FileAccess::READ);
    } else if (plan.part == AttackerPart::COMMANDS) {
      wanted.setCommands();
    } else {
      wanted.setInteractive();
    }
    auto response = host.wait(request.send().dropPipeline(), "a lane");
    KJ_REQUIRE(response.getOutcome().isConnected(), response.getOutcome());
    auto stream = host.wait(streamOf(response.getLane(), host.io.unixEventPort), "its stream");
    auto welcome = host.wait(readGreeting(*stream), "the welcome");
    KJ_REQUIRE(welcome->getRoot<rpc::Welcome>().isGeneration(), "a lane was refused");
    lanes.add(response.getLane());
    attackers.add(Attacker{plan, kj::heap<HostileProcess>(kj::mv(stream), plan)});
  }
};

// A line of a file in /proc of the guest, whose number is in KiB.
uint64_t kibOf(TestWorkspace& workspace, kj::StringPtr name, kj::StringPtr file) {
  return strtoull(
      workspace.shell(kj::str("awk '$1 == \"", name, ":\" { print $2 }' ", file)).cStr(), nullptr,
      10);
}

TEST_CASE("S01 a client that has every lane it may have and reads nothing leaves 512 MiB usable") {
  SupervisedHost host;
  TestWorkspace workspace(host, {.memoryMib = 512});
  workspace.shell("true");
  auto agentKib = [&]() { return kibOf(workspace, "VmRSS", "/proc/1/status"); };
  const auto before = agentKib();
  GreedyClient client(host, workspace.name);
  // One is the workspace's own.
  client.take(rpc::MAX_LANES - 1);
  uint64_t most = agentKib(), least = kj::maxValue;
  // Those that hold most end when others have waited for 30 s, which the rest may take on a busy host.
  CHECK(client.attacking() > 0);
  for (int i = 0; i < ECHOES; i++) {
    most = kj::max(most, agentKib());
    least = kj::min(least, kibOf(workspace, "MemAvailable", "/proc/meminfo"));
  }
  // Work that takes memory, and is not ended for it.
  CHECK(workspace.shell("head -c 16M /dev/zero | tail -c 16M | wc -c") == "16777216");
  // Children of programs that ended are left to PID 1, which has them gone although it has much to do.
  workspace.shell(kj::str("for i in $(seq ", ORPHANS, "); do (sleep 0.1 &) ; done"));
  workspace.shell(
      "begin=$(date +%s); while ps -e -o stat=,comm= | grep -E '^Z|sleep$'; do "
      "test $(($(date +%s) - begin)) -le 5 || exit 1; sleep 0.1; done");
  const auto figures = kj::str("the agent grew by ", (most - kj::min(most, before)) / 1024,
                               " MiB, and ", least / 1024, " MiB were left");
  INFO(figures.cStr());
  if (isFull()) WARN(figures.cStr());
  CHECK(least >= 128 * 1024);
}

}  // namespace
}  // namespace bothy
