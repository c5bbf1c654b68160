// What bothyd hears of the ends of lanes, of a real agent.

#include <kj/debug.h>

#include <set>

#include <catch2/catch_test_macros.hpp>

#include "agent/agent-link.h"
#include "lane/lane.h"
#include "support/agent-process.h"

namespace bothy {
namespace {

// Until the agent has done what it has to: a fault if it is reached, not a figure.
constexpr kj::Duration LIMIT = 60 * kj::SECONDS;
constexpr kj::Duration LOOK_PAUSE = 10 * kj::MILLISECONDS;

// bothyd from its start to its end, with a time of its own.
struct Run {
  AgentProcess& agent;
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  std::set<uint64_t> ended;
  uint64_t missed = 0;
  kj::Own<AgentLink> link;

  Run(AgentProcess& agent, uint64_t firstLane)
      : agent(agent),
        link(newAgentLink(
            timer, kj::heapArray<kj::byte>(agent.secret()), firstLane,
            [this]() -> kj::Promise<kj::Own<kj::AsyncIoStream>> { return this->agent.dialRaw(); },
            [this](uint64_t lane, rpc::AgentEvent::What) { ended.insert(lane); },
            [this](uint64_t count) { missed += count; }, [](rpc::AgentEvent::Reader) {},
            [](kj::StringPtr) {})) {}
};

struct World {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  AgentProcess agent{io};

  kj::Own<Lane> open(Run& run) {
    auto opened = run.link->openLane(wholeGrant(rpc::Purpose::COMMANDS)).wait(io.waitScope);
    auto lane = kj::heap<Lane>(kj::mv(opened.stream), io.provider->getTimer());
    CHECK(lane->answer().wait(io.waitScope).is<uint16_t>());
    return lane;
  }
  // So many lanes, one after the other, each closed as soon as it is served.
  void openAndClose(Run& run, uint64_t lanes) {
    for (uint64_t i = 0; i < lanes; i++) open(run);
  }
  // Until `run`, which asks again after each pause, has heard of so many; it is within a pause then.
  void hear(Run& run, size_t ends) {
    until([&]() {
      if (run.ended.size() >= ends) return true;
      run.timer.advanceTo(run.timer.now() + LANE_REPORT_PAUSE);
      return false;
    });
  }
  void until(kj::Function<bool()> isDone) {
    auto& timer = io.provider->getTimer();
    for (const auto end = timer.now() + LIMIT; !isDone();) {
      REQUIRE(timer.now() < end);
      timer.afterDelay(LOOK_PAUSE).wait(io.waitScope);
    }
  }
  size_t lanesOf(Run& run) {
    auto control = run.link->control().wait(io.waitScope);
    return control.lanesRequest().send().wait(io.waitScope).getLanes().size();
  }
};

TEST_CASE("P41 a bothyd that was restarted hears of each end of a lane that its agent kept") {
  World w;
  auto first = kj::heap<Run>(w.agent, 1);
  w.openAndClose(*first, 1);
  first->link->tryControl().wait(w.io.waitScope);
  w.until([&]() { return first->ended.contains(1); });
  // Its own lane, to which it asks nothing more, ends too.
  constexpr uint64_t UNHEARD = rpc::MAX_AGENT_EVENTS - 2;
  w.openAndClose(*first, UNHEARD);
  w.until([&]() { return w.lanesOf(*first) == 1; });
  CHECK(first->ended.size() == 1);
  first = nullptr;

  Run second(w.agent, 1000);
  second.link->tryControl().wait(w.io.waitScope);
  // The end of the one lane that the first had heard of was not acknowledged.
  w.hear(second, UNHEARD + 2);
  CHECK(second.ended.size() == UNHEARD + 2);
  CHECK(second.missed == 0);
}

TEST_CASE("P41 bothyd notices how many ends of lanes its agent did not keep") {
  World w;
  Run run(w.agent, 1);
  w.openAndClose(run, 1);
  run.link->tryControl().wait(w.io.waitScope);
  w.hear(run, 1);
  constexpr uint64_t FORGOTTEN = 9;
  w.openAndClose(run, rpc::MAX_AGENT_EVENTS + FORGOTTEN);
  w.until([&]() { return w.lanesOf(run) == 1; });
  CHECK(run.missed == 0);
  w.hear(run, 2);
  CHECK(run.missed == FORGOTTEN);
}

}  // namespace
}  // namespace bothy
