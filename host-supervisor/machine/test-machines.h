#pragma once

#include <kj/async-io.h>
#include <kj/vector.h>

#include "schema/agent.capnp.h"
#include "support/fake-agent.h"
#include "support/fake-vm-driver.h"

namespace bothy {

// A host for tests: machines in memory, virtual time, agents that answer over real connections.
struct TestMachines {
  class Control final: public rpc::AgentControl::Server {
  public:
    explicit Control(TestMachines& host) : host(host) {}

  private:
    TestMachines& host;

    kj::Promise<void> ping(PingContext) override { return kj::READY_NOW; }
    kj::Promise<void> report(ReportContext context) override {
      KJ_REQUIRE(host.agentVersion.size() > 0, "it does not say");
      context.getResults().initReport().setAgentVersion(host.agentVersion);
      return kj::READY_NOW;
    }
    kj::Promise<void> lanes(LanesContext context) override {
      auto list = context.getResults().initLanes(host.servedLanes.size());
      for (auto i : kj::indices(host.servedLanes)) list[i].setLane(host.servedLanes[i]);
      return kj::READY_NOW;
    }
    kj::Promise<void> wake(WakeContext context) override {
      context.getResults().setBehindNanos(context.getParams().getRealtimeNanos() - 7);
      return kj::READY_NOW;
    }
    kj::Promise<void> events(EventsContext context) override {
      host.askedAfter.add(context.getParams().getAfter());
      if (host.laneEvents.empty()) {
        auto paf = kj::newPromiseAndFulfiller<void>();
        host.awaitingEvents.add(kj::mv(paf.fulfiller));
        co_await paf.promise;
      }
      auto list = context.getResults().initEvents(host.laneEvents.size());
      for (auto i : kj::indices(host.laneEvents)) {
        auto& event = host.laneEvents[i];
        list[i].setNumber(event.number);
        list[i].setLane(event.lane);
        list[i].setWhat(event.what);
      }
      host.laneEvents.clear();
    }
    kj::Promise<void> endLanes(EndLanesContext context) override {
      host.endedLanes.add(context.getParams().getWhich().getLane());
      if (host.answersEndLanes) return kj::READY_NOW;
      auto paf = kj::newPromiseAndFulfiller<void>();
      host.unansweredEnds.add(kj::mv(paf.fulfiller));
      return kj::mv(paf.promise);
    }
  };

  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  bool agentAnswers = true;
  // Empty: the agent does not say.
  kj::String agentVersion;
  bool answersEndLanes = true;
  // An agent for each dial.
  kj::Vector<kj::Own<FakeAgent>> served;
  kj::Vector<uint64_t> endedLanes;
  kj::Vector<uint64_t> servedLanes;  // as an agent tells it
  kj::Vector<uint64_t> askedAfter;   // for events since then
  kj::Vector<kj::Own<kj::PromiseFulfiller<void>>> unansweredEnds;
  // What an agent reports when it is asked next.
  struct AgentEvent {
    uint64_t number, lane;
    rpc::AgentEvent::What what;
  };
  kj::Vector<AgentEvent> laneEvents;
  kj::Vector<kj::Own<kj::PromiseFulfiller<void>>> awaitingEvents;
  FakeVmDriver driver{[this](kj::StringPtr vmName, uint32_t) { return dial(vmName); }};

  kj::Promise<kj::Own<kj::AsyncIoStream>> dial(kj::StringPtr vmName) {
    if (!agentAnswers) return KJ_EXCEPTION(DISCONNECTED, "nothing listens");
    auto pipe = io.provider->newTwoWayPipe();
    auto agent = kj::heap<FakeAgent>([this](const LaneGrant&) -> capnp::Capability::Client {
      return rpc::AgentControl::Client(kj::heap<Control>(*this));
    });
    agent->secret = kj::heapArray<kj::byte>(driver.spec(vmName).secret);
    agent->accept(kj::mv(pipe.ends[1]));
    served.add(kj::mv(agent));
    return kj::mv(pipe.ends[0]);
  }

  // An agent that is asked, or is asked next, answers with these.
  void report(kj::ArrayPtr<const AgentEvent> events) {
    laneEvents.addAll(events);
    for (auto& fulfiller : awaitingEvents) fulfiller->fulfill();
    awaitingEvents.clear();
  }
  void advance(kj::Duration duration) { timer.advanceTo(timer.now() + duration); }
  // Until nothing moves without time.
  void settle() { scope.poll(); }
};

}  // namespace bothy
