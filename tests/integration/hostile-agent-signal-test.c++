// Programs of this host against an agent that keeps no rule.

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "client/kept-program.h"
#include "real-agent-world.h"
#include "support/hostile-process.h"

namespace bothy {
namespace {

// The promise, under whatever attack.
constexpr kj::Duration SIGNAL_LIMIT = 1 * kj::SECONDS;

// Starts the command, has it attacked until it has taken a tenth of a second of a processor, or for half a second, and ends it then: how many
// milliseconds that took.
constexpr kj::StringPtr ATTACKED = R"(
  "$@" </dev/null >/dev/null 2>&1 &
  taken() { read -r _ _ _ _ _ _ _ _ _ _ _ _ _ user system _ </proc/$!/stat && echo $((user + system)); }
  for look in $(seq 10); do
    ticks=$(taken) || break
    [ $ticks -lt 10 ] || break
    sleep 0.05
  done 2>/dev/null
  began=$(date +%s%N)
  # The first is for the program in the workspace, where there is one.
  kill -TERM $!
  kill -INT $! 2>/dev/null
  wait $!
  printf %d $((($(date +%s%N) - began) / 1000000))
)"_kj;

// `limit`: how long the command may take to end.
void endUnderAttack(AttackPlan plan, kj::StringPtr command, kj::Duration limit) {
  INFO(kj::strArray(plan.words(), " ").cStr());
  RealAgentWorld world;
  kj::Vector<kj::Own<HostileProcess>> attackers;
  world.supervisor.serveLane = [&](kj::Own<kj::AsyncIoStream> client, rpc::LaneRequest::Reader) {
    attackers.add(kj::heap<HostileProcess>(kj::mv(client), plan));
  };
  auto ended = world.shell(kj::str("set -- $bothy ", command, ";", ATTACKED));
  CHECK(ended.err == "");
  CHECK(attackers.size() > 0);
  CHECK(ended.out.parseAs<int>() * kj::MILLISECONDS <= limit);
}

TEST_CASE("S01 a command whose agent attacks it ends soon after it is told to") {
  for (auto attack : attacksOf(AttackerPart::AGENT)) {
    DYNAMIC_SECTION(kj::str(attack).cStr() << " and reads nothing") {
      endUnderAttack({attack, AttackerPart::AGENT, false}, "exec demo -- true",
                     KeptProgram::END_LIMIT + SIGNAL_LIMIT);
    }
    DYNAMIC_SECTION(kj::str(attack).cStr() << " and reads") {
      endUnderAttack({attack, AttackerPart::AGENT, true}, "cp demo:file -", SIGNAL_LIMIT);
    }
  }
}

}  // namespace
}  // namespace bothy
