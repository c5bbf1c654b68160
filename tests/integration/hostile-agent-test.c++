// An agent that keeps no rule, against a client that has a lane to it and another to one that does.

#include <kj/debug.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "lane/lane.h"
#include "schema/agent.capnp.h"
#include "schema/files.capnp.h"
#include "support/besieged.h"
#include "support/fake-agent.h"
#include "support/hostile-process.h"

namespace bothy {
namespace {

constexpr uint64_t MAX_GROWTH = 16 * 1024 * 1024;

// What a client makes of what it gets.
enum class Sink { FAST, STALLED };

class TestSink final: public rpc::ByteSink::Server {
public:
  explicit TestSink(Sink kind) : kind(kind) {}
  kj::Promise<void> write(WriteContext) override {
    if (kind == Sink::STALLED) return kj::NEVER_DONE;
    return kj::READY_NOW;
  }
  kj::Promise<void> end(EndContext) override { return kj::READY_NOW; }

private:
  const Sink kind;
};

class GoodFiles final: public rpc::Files::Server {
  kj::Promise<void> home(HomeContext) override { return kj::READY_NOW; }
};

struct World {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  FakeAgent agent{[](const LaneGrant&) { return rpc::Files::Client(kj::heap<GoodFiles>()); }};
  kj::Own<Lane> good = connect();
  rpc::Files::Client files = good->bootstrap().castAs<rpc::Files>();
  kj::Maybe<kj::Own<Lane>> bad;
  kj::Maybe<kj::Promise<void>> reading;

  kj::Own<Lane> connect() {
    auto pipe = io.provider->newTwoWayPipe();
    agent.welcome(kj::mv(pipe.ends[1]), kj::heap<GoodFiles>());
    return kj::heap<Lane>(kj::mv(pipe.ends[0]), io.provider->getTimer());
  }
  // Asks for a file, whose sink the attacker has from then on.
  kj::Own<HostileProcess> attack(AttackPlan plan, Sink kind) {
    auto pipe = io.provider->newTwoWayPipe();
    auto attacker = kj::heap<HostileProcess>(kj::mv(pipe.ends[1]), plan);
    auto use = plan.part == AttackerPart::CONTROL ? Lane::Use::CONTROL : Lane::Use::CLIENT;
    auto lane = kj::heap<Lane>(kj::mv(pipe.ends[0]), io.provider->getTimer(), use);
    if (use == Lane::Use::CLIENT) {
      auto request = lane->bootstrap().castAs<rpc::Files>().readRequest();
      request.setSink(kj::heap<TestSink>(kind));
      reading = request.send().ignoreResult().eagerlyEvaluate([](kj::Exception&&) {});
    } else {
      reading =
          ask(lane->bootstrap().castAs<rpc::AgentControl>()).eagerlyEvaluate([](kj::Exception&&) {
          });
    }
    bad = kj::mv(lane);
    return attacker;
  }
  // As a supervisor does: one question after another.
  static kj::Promise<void> ask(rpc::AgentControl::Client control) {
    for (;;) co_await control.pingRequest().send();
  }
};

void attackClient(AttackPlan plan, Sink kind) {
  INFO(kj::strArray(plan.words(), " ").cStr());
  // What an attack before this one left to this process would hide what this one takes.
  ::malloc_trim(0);
  World world;
  Besieged client(world.io, getpid(),
                  [&]() { return world.files.homeRequest().send().ignoreResult(); });
  auto attacker = world.attack(plan, kind);
  client.outlast(*attacker);
  attacker = nullptr;
  if (getenv("BOTHY_FULL") != nullptr) {
    WARN(kj::str(kj::strArray(plan.words(), " "), ": ", client.figures()).cStr());
  }
  INFO(client.figures().cStr());
  CHECK(client.isInTime());
  CHECK(client.isWithin(MAX_GROWTH));
}

void attackClient(AttackerPart part) {
  for (auto attack : attacksOf(part)) {
    DYNAMIC_SECTION(kj::str(attack).cStr() << " and reads nothing") {
      attackClient({attack, part, false}, Sink::STALLED);
    }
    DYNAMIC_SECTION(kj::str(attack).cStr() << " and reads") {
      attackClient({attack, part, true}, Sink::FAST);
    }
  }
}

TEST_CASE("S01 an agent neither grows a client of its own nor keeps it from another agent") {
  attackClient(AttackerPart::AGENT);
}

TEST_CASE("S01 an agent neither grows whoever has its control lane nor keeps it from others") {
  attackClient(AttackerPart::CONTROL);
}

}  // namespace
}  // namespace bothy
