// A client that has the least that a lane can be granted, against a real agent.

#include <dirent.h>
#include <kj/debug.h>
#include <stdio.h>
#include <stdlib.h>

#include <catch2/catch_test_macros.hpp>

#include "lane/lane-greeting.h"
#include "schema/files.capnp.h"
#include "support/agent-process.h"
#include "support/besieged.h"
#include "support/hostile-process.h"

namespace bothy {
namespace {

constexpr uint64_t MIB = 1024 * 1024;

constexpr uint64_t MAX_GROWTH = 8 * MIB;

LaneGrant leastGrant(AttackerPart part) {
  LaneGrant grant;
  grant.lane = 1000;
  grant.session = kj::str("hostile");
  switch (part) {
    case AttackerPart::INTERACTIVE:
      grant.purpose = rpc::Purpose::INTERACTIVE;
      grant.verbs = {rpc::Verb::MACHINE};
      break;
    case AttackerPart::COMMANDS:
      grant.purpose = rpc::Purpose::COMMANDS;
      grant.verbs = {rpc::Verb::PROGRAMS};
      break;
    case AttackerPart::FILES:
      grant.purpose = rpc::Purpose::FILES;
      grant.verbs = {rpc::Verb::READ_FILES};
      break;
    default:
      KJ_FAIL_REQUIRE("no client has such a part", part);
  }
  return grant;
}

// The one process that `parent` has started and that has not ended.
pid_t childOf(pid_t parent) {
  auto proc = opendir("/proc");
  KJ_REQUIRE(proc != nullptr);
  KJ_DEFER(closedir(proc));
  while (auto entry = readdir(proc)) {
    auto file = fopen(kj::str("/proc/", entry->d_name, "/stat").cStr(), "re");
    if (file == nullptr) continue;
    KJ_DEFER(fclose(file));
    int pid = 0, itsParent = 0;
    char state = 0;
    const bool isKnown = fscanf(file, "%d (%*[^)]) %c %d", &pid, &state, &itsParent) == 3;
    if (isKnown && itsParent == parent && state != 'Z') return pid;
  }
  KJ_FAIL_REQUIRE("it has no child");
}

struct World {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  AgentProcess agent{io};
  kj::Own<Lane> lane = agent.enter(rpc::Purpose::COMMANDS);
  rpc::Agent::Client entry = lane->bootstrap().castAs<rpc::Agent>();
  rpc::System::Client system = entry.systemRequest().send().getSystem();

  // Runs a program to its end, which the agent has to notice.
  void runProgram() {
    auto request = entry.processesRequest().send().getProcesses().execRequest();
    auto argv = request.initCommand().initArgv(1);
    argv.set(0, "/bin/true");
    auto process = request.send().getProcess();
    auto ended = io.provider->getTimer()
                     .timeoutAfter(30 * kj::SECONDS, process.waitRequest().send().dropPipeline())
                     .wait(io.waitScope);
    REQUIRE(ended.getStatus().isExited());
  }
  // Whoever serves a lane of `part`, beside which others are served.
  kj::Own<Besieged> besieged(AttackerPart part, Besieged::Effort effort) {
    if (part != AttackerPart::FILES) {
      return kj::heap<Besieged>(
          io, agent.pid(), [this]() { return system.healthRequest().send().ignoreResult(); },
          effort);
    }
    auto& files = *filesLane.emplace(agent.enter(rpc::Purpose::FILES));
    auto ask = [&files]() {
      return files.bootstrap().castAs<rpc::Files>().homeRequest().send().ignoreResult();
    };
    ask().wait(io.waitScope);
    return kj::heap<Besieged>(io, childOf(agent.pid()), kj::mv(ask), effort);
  }
  kj::Maybe<kj::Own<Lane>> filesLane;

  kj::Own<HostileProcess> attack(AttackPlan plan) {
    auto stream = agent.dialRaw();
    writeHello(*stream, agent.secret()).wait(io.waitScope);
    auto message = kj::heap<capnp::MallocMessageBuilder>();
    leastGrant(plan.part).writeTo(message->initRoot<rpc::Grant>());
    writeGreeting(*stream, kj::mv(message)).wait(io.waitScope);
    return kj::heap<HostileProcess>(kj::mv(stream), plan);
  }
};

void attackAgent(AttackPlan plan) {
  INFO(kj::strArray(plan.words(), " ").cStr());
  World world;
  world.runProgram();
  // While this process waits for a processor the agent goes on with the attack: that meets few echoes.
  Besieged::Effort effort;
  if (getenv("BOTHY_FULL") == nullptr) effort.percentile = 50;
  auto besieged = world.besieged(plan.part, effort);
  auto& agent = *besieged;
  auto attacker = world.attack(plan);
  agent.outlast(*attacker);
  world.runProgram();
  attacker = nullptr;
  world.runProgram();
  if (getenv("BOTHY_FULL") != nullptr) {
    WARN(kj::str(kj::strArray(plan.words(), " "), ": ", agent.figures()).cStr());
  }
  INFO(agent.figures().cStr());
  CHECK(agent.isInTime());
  CHECK(agent.isWithin(MAX_GROWTH));
}

// Those whose messages are the same for every part are tried once.
bool isWorthwhile(AttackerPart part, Attack attack) {
  if (getenv("BOTHY_FULL") != nullptr || part == AttackerPart::COMMANDS) return true;
  return attack == Attack::CALLS || attack == Attack::WRITES || attack == Attack::LISTINGS ||
         attack == Attack::DOWNLOADS || attack == Attack::GIVEN_UP_DOWNLOADS;
}

void attackAgent(AttackerPart part) {
  for (auto attack : attacksOf(part)) {
    if (!isWorthwhile(part, attack)) continue;
    for (bool reads : {false, true}) {
      DYNAMIC_SECTION(kj::str(attack).cStr() << (reads ? " and reads" : " and reads nothing")) {
        attackAgent({attack, part, reads});
      }
    }
  }
}

TEST_CASE("S01 a client that may see the machine neither grows nor stalls its agent") {
  attackAgent(AttackerPart::INTERACTIVE);
}

TEST_CASE("S01 a client that may run programs neither grows nor stalls its agent") {
  attackAgent(AttackerPart::COMMANDS);
}

TEST_CASE("S01 a client that may read files neither grows nor stalls its agent") {
  attackAgent(AttackerPart::FILES);
}

}  // namespace
}  // namespace bothy
