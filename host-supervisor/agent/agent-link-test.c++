#include "agent/agent-link.h"

#include <string.h>

#include <kj/debug.h>
#include <kj/vector.h>
#include <catch2/catch_test_macros.hpp>

#include "schema/limits.capnp.h"
#include "wire/rpc-connection.h"

namespace bothy {
namespace {

constexpr kj::StringPtr HOSTILE = "\x1b[2J the guest's own words"_kj;

bool says(const kj::Exception& exception, const char* text) {
  return strstr(exception.getDescription().cStr(), text) != nullptr;
}

class TestSystem final: public rpc::System::Server {
  kj::Promise<void> report(ReportContext) override { KJ_FAIL_REQUIRE(HOSTILE); }
  kj::Promise<void> health(HealthContext) override { return KJ_EXCEPTION(OVERLOADED, HOSTILE); }
};

class TestAgent final: public rpc::Agent::Server {
  kj::Promise<void> ping(PingContext) override { return kj::READY_NOW; }
  kj::Promise<void> system(SystemContext context) override {
    context.getResults().setSystem(kj::heap<TestSystem>());
    return kj::READY_NOW;
  }
};

class TestGate final: public rpc::AgentGate::Server {
public:
  TestGate(uint16_t generation, int& hellos) : generation(generation), hellos(hellos) {}

private:
  uint16_t generation;
  int& hellos;

  kj::Promise<void> hello(HelloContext context) override {
    hellos++;
    auto params = context.getParams();
    auto outcome = context.getResults().initOutcome();
    if (params.getSecret() != kj::StringPtr("the secret").asBytes()) {
      outcome.setWrongSecret();
    } else if (params.getGeneration() < generation) {
      outcome.setGenerationTooOld(generation);
    } else {
      auto welcome = outcome.initWelcome();
      welcome.setAgent(kj::heap<TestAgent>());
      welcome.setGeneration(generation);
    }
    return kj::READY_NOW;
  }
};

// A machine whose agent can be absent, mute or gone.
struct Machine {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  enum { LISTENING, ABSENT, MUTE } mood = LISTENING;
  uint16_t generation = rpc::GENERATION;
  int dials = 0;
  int hellos = 0;
  kj::Vector<kj::Own<RpcConnection>> served;
  kj::Vector<kj::Own<kj::AsyncIoStream>> mute;

  kj::Own<AgentLink> link(kj::StringPtr secret = "the secret") {
    return newAgentLink(timer, kj::heapArray<kj::byte>(secret.asBytes()),
                        [this]() { return dial(); });
  }

  kj::Promise<kj::Own<kj::AsyncIoStream>> dial() {
    dials++;
    if (mood == ABSENT) return KJ_EXCEPTION(DISCONNECTED, "nothing listens");
    auto pipe = io.provider->newTwoWayPipe();
    if (mood == MUTE) {
      mute.add(kj::mv(pipe.ends[1]));
    } else {
      served.add(
          kj::heap<RpcConnection>(kj::mv(pipe.ends[1]), kj::heap<TestGate>(generation, hellos)));
    }
    return kj::mv(pipe.ends[0]);
  }

  void advance(kj::Duration duration) { timer.advanceTo(timer.now() + duration); }

  template <typename T>
  kj::Exception failure(kj::Promise<T> promise) {
    KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() { promise.wait(scope); })) return kj::mv(*e);
    FAIL("it did not fail");
    KJ_UNREACHABLE;
  }
};

TEST_CASE("a lane says hello once and is shared by those who want it") {
  Machine machine;
  auto link = machine.link();
  auto first = link->agent(AgentLink::Lane::INTERACTIVE);
  auto second = link->agent(AgentLink::Lane::INTERACTIVE);
  first.wait(machine.scope).pingRequest().send().wait(machine.scope);
  second.wait(machine.scope).pingRequest().send().wait(machine.scope);
  CHECK(machine.hellos == 1);
  link->agent(AgentLink::Lane::BULK).wait(machine.scope);
  CHECK(machine.hellos == 2);
}

TEST_CASE("P41 a lane that broke is dialled again at the next call") {
  Machine machine;
  auto link = machine.link();
  auto agent = link->agent(AgentLink::Lane::PROCESS).wait(machine.scope);
  machine.served.clear();
  auto gone = machine.failure(agent.pingRequest().send().ignoreResult());
  CHECK(gone.getType() == kj::Exception::Type::DISCONNECTED);

  auto again = link->agent(AgentLink::Lane::PROCESS).wait(machine.scope);
  again.pingRequest().send().wait(machine.scope);
  CHECK(machine.hellos == 2);
}

TEST_CASE("an agent that accepts and says nothing is given up after the limit") {
  Machine machine;
  machine.mood = Machine::MUTE;
  auto link = machine.link();
  auto agent = link->agent(AgentLink::Lane::INTERACTIVE);
  CHECK_FALSE(agent.poll(machine.scope));
  machine.advance(HELLO_LIMIT);
  CHECK(machine.failure(kj::mv(agent)).getType() == kj::Exception::Type::DISCONNECTED);

  machine.mood = Machine::LISTENING;
  link->agent(AgentLink::Lane::INTERACTIVE).wait(machine.scope);
}

TEST_CASE("a wrong secret and an agent of another generation are told apart from silence") {
  Machine machine;
  auto wrong = machine.link("another");
  auto refused = machine.failure(wrong->agent(AgentLink::Lane::INTERACTIVE));
  CHECK(refused.getType() == kj::Exception::Type::FAILED);
  CHECK(says(refused, "secret"));

  machine.generation = rpc::GENERATION + 1;
  auto link = machine.link();
  auto tooOld = machine.failure(link->ready());
  CHECK(tooOld.getType() == kj::Exception::Type::UNIMPLEMENTED);
  CHECK(says(tooOld, "generation"));
}

TEST_CASE("a link that is dropped fails those who wait for it, and nothing of it goes on") {
  Machine machine;
  machine.mood = Machine::ABSENT;
  auto link = machine.link();
  auto first = link->agent(AgentLink::Lane::BULK);
  auto second = link->agent(AgentLink::Lane::BULK);
  auto ready = link->ready();
  CHECK_FALSE(first.poll(machine.scope));
  auto dials = machine.dials;
  link = nullptr;
  CHECK(machine.failure(kj::mv(first)).getType() == kj::Exception::Type::DISCONNECTED);
  CHECK(machine.failure(kj::mv(second)).getType() == kj::Exception::Type::DISCONNECTED);
  CHECK(machine.failure(kj::mv(ready)).getType() == kj::Exception::Type::DISCONNECTED);
  machine.advance(1 * kj::SECONDS);
  machine.scope.poll();
  CHECK(machine.dials == dials);
}

TEST_CASE("P30 a machine that boots is tried again until it answers") {
  Machine machine;
  machine.mood = Machine::ABSENT;
  auto link = machine.link();
  auto ready = link->ready();
  for (int i = 0; i < 5; i++) {
    CHECK_FALSE(ready.poll(machine.scope));
    CHECK(machine.dials == i + 1);
    machine.advance(10 * kj::MILLISECONDS);
  }
  // A dial that is swallowed does not hold the boot up.
  machine.mood = Machine::MUTE;
  CHECK_FALSE(ready.poll(machine.scope));
  machine.mood = Machine::LISTENING;
  machine.advance(5 * kj::SECONDS);
  CHECK_FALSE(ready.poll(machine.scope));
  machine.advance(200 * kj::MILLISECONDS);
  ready.wait(machine.scope);
}

TEST_CASE("S08 the text of a guest's exception is replaced, its type stays") {
  Machine machine;
  auto link = machine.link();
  auto agent = link->agent(AgentLink::Lane::INTERACTIVE).wait(machine.scope);
  auto system = agent.systemRequest().send().getSystem();

  auto failed = machine.failure(system.reportRequest().send().ignoreResult());
  CHECK(failed.getType() == kj::Exception::Type::FAILED);
  CHECK_FALSE(says(failed, "guest's own"));
  CHECK(failed.getRemoteTrace().size() == 0);

  auto overloaded = machine.failure(system.healthRequest().send().ignoreResult());
  CHECK(overloaded.getType() == kj::Exception::Type::OVERLOADED);
  CHECK_FALSE(says(overloaded, "guest's own"));

  // The lane goes on.
  agent.pingRequest().send().wait(machine.scope);
}

}  // namespace
}  // namespace bothy
