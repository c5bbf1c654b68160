#include "agent/agent-link.h"

#include <string.h>

#include <kj/debug.h>
#include <kj/vector.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "agent/lane-stock.h"
#include "lane/lane.h"
#include "schema/limits.capnp.h"
#include "support/fake-agent.h"

namespace bothy {
namespace {

constexpr uint64_t FIRST_LANE = 7;
constexpr kj::StringPtr HOSTILE = "\x1b[2J the guest's own words"_kj;

bool says(const kj::Exception& exception, const char* text) {
  return strstr(exception.getDescription().cStr(), text) != nullptr;
}

class TestControl final: public rpc::AgentControl::Server {
public:
  TestControl(kj::Maybe<kj::Exception::Type>& eventsFailure, bool& eventsCome)
      : eventsFailure(eventsFailure), eventsCome(eventsCome) {}

private:
  kj::Maybe<kj::Exception::Type>& eventsFailure;
  bool& eventsCome;
  kj::Promise<void> events(EventsContext) override {
    KJ_IF_MAYBE (type, eventsFailure) {
      return kj::Exception(*type, __FILE__, __LINE__, kj::str(HOSTILE));
    }
    return eventsCome ? kj::READY_NOW : kj::Promise<void>(kj::NEVER_DONE);
  }
  kj::Promise<void> ping(PingContext) override { return kj::READY_NOW; }
  kj::Promise<void> report(ReportContext) override { KJ_FAIL_REQUIRE(HOSTILE); }
  kj::Promise<void> health(HealthContext) override { return KJ_EXCEPTION(OVERLOADED, HOSTILE); }
};

// A machine whose agent can be absent, mute or gone.
struct Machine {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  enum { LISTENING, ABSENT, MUTE } mood = LISTENING;
  int dials = 0;
  kj::Maybe<kj::Exception::Type> eventsFailure;
  bool eventsCome = true;
  FakeAgent agent{[this](const LaneGrant&) -> capnp::Capability::Client {
    return rpc::AgentControl::Client(kj::heap<TestControl>(eventsFailure, eventsCome));
  }};
  kj::Vector<kj::Own<kj::AsyncIoStream>> mute;
  kj::Vector<kj::String> losses;  // of control lanes

  Machine() { agent.secret = kj::heapArray("the secret"_kj.asBytes()); }

  kj::Own<AgentLink> link(kj::StringPtr secret = "the secret") {
    return newAgentLink(
        timer, kj::heapArray<kj::byte>(secret.asBytes()), FIRST_LANE, [this]() { return dial(); },
        [](uint64_t, rpc::AgentEvent::What) {}, [](uint64_t) {}, [](rpc::AgentEvent::Reader) {},
        [this](kj::StringPtr why) { losses.add(kj::str(why)); });
  }

  kj::Promise<kj::Own<kj::AsyncIoStream>> dial() {
    dials++;
    if (mood == ABSENT) return KJ_EXCEPTION(DISCONNECTED, "nothing listens");
    auto pipe = io.provider->newTwoWayPipe();
    if (mood == MUTE) {
      mute.add(kj::mv(pipe.ends[1]));
    } else {
      agent.accept(kj::mv(pipe.ends[1]));
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

TEST_CASE("the control lane is greeted once and shared by those who want it") {
  Machine machine;
  auto link = machine.link();
  CHECK_FALSE(link->isLinked());
  auto first = link->control();
  auto second = link->control();
  first.wait(machine.scope).pingRequest().send().wait(machine.scope);
  second.wait(machine.scope).pingRequest().send().wait(machine.scope);
  CHECK(link->isLinked());
  REQUIRE(machine.agent.grants.size() == 1);
  CHECK(machine.agent.grants[0].purpose == rpc::Purpose::CONTROL);
  CHECK(machine.agent.grants[0].lane == FIRST_LANE);
}

TEST_CASE("P41 a control lane that broke is opened again at the next call") {
  Machine machine;
  auto link = machine.link();
  auto agent = link->control().wait(machine.scope);
  machine.agent.breakConnections();
  auto gone = machine.failure(agent.pingRequest().send().ignoreResult());
  CHECK(gone.getType() == kj::Exception::Type::DISCONNECTED);
  CHECK_FALSE(link->isLinked());

  auto again = link->control().wait(machine.scope);
  again.pingRequest().send().wait(machine.scope);
  CHECK(machine.agent.grants.size() == 2);
}

TEST_CASE("P09 a control lane that stood and is lost is told of once, with the reason") {
  Machine machine;
  auto link = machine.link();
  link->tryControl().wait(machine.scope);
  link->control().wait(machine.scope);
  // The agent was asked for events, and answered.
  machine.scope.poll();
  CHECK(machine.losses.empty());
  machine.agent.breakConnections();
  machine.scope.poll();
  REQUIRE(machine.losses.size() == 1);
  CHECK(machine.losses[0] == "its connection has ended");

  machine.mood = Machine::ABSENT;
  const auto dials = machine.dials;
  CHECK(machine.failure(link->tryControl()).getType() == kj::Exception::Type::DISCONNECTED);
  CHECK(machine.dials == dials + 1);
  CHECK(machine.losses.size() == 1);

  machine.mood = Machine::LISTENING;
  link->tryControl().wait(machine.scope);
  link->dropControl();
  machine.scope.poll();
  REQUIRE(machine.losses.size() == 2);
  CHECK(machine.losses[1] == "it was dropped");
  link->tryControl().wait(machine.scope);
  link = nullptr;
  machine.scope.poll();
  CHECK(machine.losses.size() == 2);
}

TEST_CASE(
    "P09 S01 of a control lane that its agent's breach of a rule has ended, the breach is told") {
  Machine machine;
  // Whether the agent is being asked for events, or a pause is made between two questions.
  machine.eventsCome = GENERATE(false, true);
  auto link = machine.link();
  link->tryControl().wait(machine.scope);
  machine.scope.poll();
  machine.agent.breakRule();
  machine.scope.poll();
  CHECK_FALSE(link->isLinked());
  REQUIRE(machine.losses.size() == 1);
  INFO(machine.losses[0].cStr());
  CHECK(strstr(machine.losses[0].cStr(), "the peer may not send a message of this kind") !=
        nullptr);
  link->tryControl().wait(machine.scope);
  CHECK(machine.losses.size() == 1);
}

TEST_CASE("P09 a control lane over which an agent does not report is lost, though it stands") {
  Machine machine;
  using Type = kj::Exception::Type;
  machine.eventsFailure = GENERATE(Type::FAILED, Type::OVERLOADED, Type::DISCONNECTED);
  auto link = machine.link();
  link->tryControl().wait(machine.scope);
  machine.scope.poll();
  CHECK_FALSE(link->isLinked());
  REQUIRE(machine.losses.size() == 1);
  CHECK(strstr(machine.losses[0].cStr(), HOSTILE.cStr()) == nullptr);
  machine.eventsFailure = nullptr;
  link->tryControl().wait(machine.scope);
  machine.scope.poll();
  CHECK(link->isLinked());
  CHECK(machine.agent.grants.size() == 2);
  CHECK(machine.losses.size() == 1);
}

TEST_CASE("a lane for another is granted as it is wanted, and left to whoever gets it") {
  Machine machine;
  auto link = machine.link();
  link->control().wait(machine.scope);
  LaneGrant grant;
  grant.purpose = rpc::Purpose::COMMANDS;
  grant.session = kj::str("a session");
  grant.verbs = {rpc::Verb::PROGRAMS};
  auto opened = link->openLane(kj::mv(grant)).wait(machine.scope);
  CHECK(opened.grant.lane == FIRST_LANE + 1);
  // It goes on without the link.
  link = nullptr;
  Lane lane(kj::mv(opened.stream), machine.timer);
  CHECK(lane.answer().wait(machine.scope).get<uint16_t>() == rpc::GENERATION);
  lane.bootstrap().castAs<rpc::AgentControl>().pingRequest().send().wait(machine.scope);
  auto& last = machine.agent.grants.back();
  CHECK(last.session == "a session");
  CHECK(last.verbs.has(rpc::Verb::PROGRAMS));
  CHECK_FALSE(last.verbs.has(rpc::Verb::MACHINE));
}

TEST_CASE("an agent that accepts and says nothing is given up after the limit") {
  Machine machine;
  machine.mood = Machine::MUTE;
  auto link = machine.link();
  auto agent = link->control();
  CHECK_FALSE(agent.poll(machine.scope));
  machine.advance(SPARE_PAUSE);
  CHECK_FALSE(agent.poll(machine.scope));
  machine.advance(HELLO_LIMIT);
  CHECK(machine.failure(kj::mv(agent)).getType() == kj::Exception::Type::DISCONNECTED);

  machine.mood = Machine::LISTENING;
  link->control().wait(machine.scope);
}

TEST_CASE("a wrong secret and an agent of another generation are told apart from silence") {
  Machine machine;
  auto wrong = machine.link("another");
  auto refused = machine.failure(wrong->control());
  CHECK(refused.getType() == kj::Exception::Type::FAILED);
  CHECK(says(refused, "secret"));

  machine.agent.generation = rpc::GENERATION + 1;
  auto link = machine.link();
  auto tooOld = machine.failure(link->ready());
  CHECK(tooOld.getType() == kj::Exception::Type::UNIMPLEMENTED);
  CHECK(says(tooOld, "generation"));
  CHECK(says(tooOld, "stop and start the workspace"));
  machine.agent.refusesGeneration = true;
  auto tooNew = machine.failure(machine.link()->ready());
  CHECK(tooNew.getType() == kj::Exception::Type::UNIMPLEMENTED);
}

TEST_CASE("a link that is dropped fails those who wait for it, and nothing of it goes on") {
  Machine machine;
  machine.mood = Machine::ABSENT;
  auto link = machine.link();
  auto first = link->control();
  auto second = link->control();
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
  auto agent = link->control().wait(machine.scope);

  auto failed = machine.failure(agent.reportRequest().send().ignoreResult());
  CHECK(failed.getType() == kj::Exception::Type::FAILED);
  CHECK_FALSE(says(failed, "guest's own"));
  CHECK(failed.getRemoteTrace().size() == 0);

  auto overloaded = machine.failure(agent.healthRequest().send().ignoreResult());
  CHECK(overloaded.getType() == kj::Exception::Type::OVERLOADED);
  CHECK_FALSE(says(overloaded, "guest's own"));

  // The lane goes on.
  agent.pingRequest().send().wait(machine.scope);
}

}  // namespace
}  // namespace bothy
