#include "agent/lane-reports.h"

#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/vector.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

using What = rpc::AgentEvent::What;

// An agent that answers what the test gives.
class Agent final: public rpc::AgentControl::Server {
public:
  struct Event {
    uint64_t number, lane;
    What what;
  };
  kj::Vector<Event> next;
  kj::Vector<uint64_t> asked;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> waiting;

  kj::Promise<void> events(EventsContext context) override {
    asked.add(context.getParams().getAfter());
    if (next.empty()) {
      auto paf = kj::newPromiseAndFulfiller<void>();
      waiting = kj::mv(paf.fulfiller);
      co_await paf.promise;
    }
    auto list = context.getResults().initEvents(next.size());
    for (auto i : kj::indices(next)) {
      list[i].setNumber(next[i].number);
      list[i].setLane(next[i].lane);
      list[i].setWhat(next[i].what);
      // No lane's.
      if (next[i].lane == 0) list[i].initDiskFilling();
    }
    next.clear();
  }
  void give(kj::ArrayPtr<const Event> events) {
    next.addAll(events);
    KJ_IF_MAYBE (fulfiller, waiting) (*fulfiller)->fulfill();
    waiting = nullptr;
  }
};

// What a real agent keeps of its lanes: each event until somebody who has it asks for the next.  Outlives those who ask.
struct KeptEvents {
  kj::Vector<Agent::Event> events;
  uint64_t newest = 0;
  kj::Vector<kj::Own<kj::PromiseFulfiller<void>>> waiting;

  void happen(uint64_t lane, What what) {
    events.add(Agent::Event{++newest, lane, what});
    for (auto& fulfiller : waiting) fulfiller->fulfill();
    waiting.clear();
  }
};

class KeepingAgent final: public rpc::AgentControl::Server {
public:
  explicit KeepingAgent(KeptEvents& kept) : kept(kept) {}

  kj::Promise<void> events(EventsContext context) override {
    const auto after = context.getParams().getAfter();
    kj::Vector<Agent::Event> later;
    for (auto& event : kept.events) {
      if (event.number > after) later.add(event);
    }
    kept.events = kj::mv(later);
    if (kept.events.empty()) {
      auto paf = kj::newPromiseAndFulfiller<void>();
      kept.waiting.add(kj::mv(paf.fulfiller));
      co_await paf.promise;
    }
    auto list = context.getResults().initEvents(kept.events.size());
    for (auto i : kj::indices(kept.events)) {
      list[i].setNumber(kept.events[i].number);
      list[i].setLane(kept.events[i].lane);
      list[i].setWhat(kept.events[i].what);
    }
  }

private:
  KeptEvents& kept;
};

struct World {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  kj::Vector<uint64_t> ended;
  kj::Vector<uint64_t> missed;
  LaneReports reports{timer, [this](uint64_t lane, What) { ended.add(lane); },
                      [this](uint64_t count) { missed.add(count); },
                      [this](rpc::AgentEvent::Reader event) { others.add(event.getNumber()); }};
  kj::Vector<uint64_t> others;
  Agent* agent;
  rpc::AgentControl::Client client = [this]() {
    auto own = kj::heap<Agent>();
    agent = own;
    return rpc::AgentControl::Client(kj::mv(own));
  }();
  kj::Promise<void> following = reports.follow(client).eagerlyEvaluate(nullptr);

  void give(std::initializer_list<Agent::Event> events) {
    agent->give(kj::arrayPtr(events.begin(), events.size()));
    scope.poll();
  }
  void pass() {
    timer.advanceTo(timer.now() + LANE_REPORT_PAUSE);
    scope.poll();
  }
};

TEST_CASE("S26 the end of each lane is told once, and is not asked for again") {
  World w;
  w.scope.poll();
  w.reports.expect(7);
  w.give({{1, 7, What::BEGAN}, {2, 7, What::ENDED}});
  CHECK(w.ended.size() == 1);
  // Not before the pause is over.
  CHECK(w.agent->asked.size() == 1);
  w.pass();
  REQUIRE(w.agent->asked.size() == 2);
  CHECK(w.agent->asked[1] == 2);
  // Numbers only grow.
  w.give({{2, 7, What::ENDED}, {1, 7, What::ENDED}});
  CHECK(w.ended.size() == 1);
}

TEST_CASE("P41 ends of lanes that the agent did not keep are noticed") {
  World w;
  w.scope.poll();
  // What an earlier bothyd has heard does not count.
  w.give({{300, 7, What::ENDED}, {301, 8, What::ENDED}});
  CHECK(w.missed.empty());
  w.pass();
  w.give({{302, 9, What::ENDED}});
  CHECK(w.missed.empty());
  w.pass();
  w.give({{306, 10, What::ENDED}, {307, 11, What::ENDED}});
  REQUIRE(w.missed.size() == 1);
  CHECK(w.missed[0] == 3);
  CHECK(w.ended.size() == 5);
}

TEST_CASE("P41 what is no lane's is told once too, in the same row of numbers") {
  World w;
  w.scope.poll();
  w.give({{1, 7, What::ENDED}, {2, 0, What::BEGAN}, {2, 0, What::BEGAN}});
  w.pass();
  w.give({{5, 0, What::BEGAN}});
  REQUIRE(w.others.size() == 2);
  CHECK(w.others[0] == 2);
  CHECK(w.others[1] == 5);
  REQUIRE(w.missed.size() == 1);
  CHECK(w.missed[0] == 2);
  CHECK(w.ended.size() == 1);
}

TEST_CASE("P41 a bothyd that was restarted hears of each end that the last one did not hear of") {
  kj::EventLoop loop;
  kj::WaitScope scope(loop);
  kj::TimerImpl timer(kj::origin<kj::TimePoint>());
  KeptEvents kept;
  // One run of bothyd, over its own control lane.
  struct Run {
    kj::Vector<uint64_t> ended;
    LaneReports reports;
    kj::Promise<void> following;
    Run(kj::Timer& timer, KeptEvents& kept)
        : reports(
              timer, [this](uint64_t lane, What) { ended.add(lane); }, [](uint64_t) {}),
          following(reports.follow(rpc::AgentControl::Client(kj::heap<KeepingAgent>(kept)))
                        .eagerlyEvaluate(nullptr)) {}
  };
  auto pass = [&]() {
    scope.poll();
    timer.advanceTo(timer.now() + LANE_REPORT_PAUSE);
    scope.poll();
  };

  auto first = kj::heap<Run>(timer, kept);
  for (uint64_t lane : {7, 8, 9}) first->reports.expect(lane);
  kept.happen(7, What::ENDED);
  pass();
  CHECK(first->ended.size() == 1);
  // It is killed with a question under way; one lane ends before anybody hears of it, and one while nobody asks.
  kept.happen(8, What::EXPIRED);
  CHECK(first->ended.size() == 1);
  first = nullptr;
  kept.happen(9, What::ORDERED);

  Run second(timer, kept);
  pass();
  REQUIRE(second.ended.size() == 2);
  CHECK(second.ended[0] == 8);
  CHECK(second.ended[1] == 9);
  second.reports.expect(10);
  kept.happen(10, What::ENDED);
  pass();
  CHECK(second.ended.size() == 3);
}

TEST_CASE(
    "S01 a guest that reports without end is asked at a pace, and lanes that it makes up end being "
    "told") {
  World w;
  w.scope.poll();
  uint64_t number = 0;
  for (int i = 0; i < 1000; i++) {
    ++number;
    w.agent->give(kj::arr(Agent::Event{number, number, What::ENDED}));
    w.scope.poll();
  }
  CHECK(w.agent->asked.size() == 1);
  w.pass();
  CHECK(w.agent->asked.size() == 2);
  w.pass();
  CHECK(w.ended.size() == rpc::MAX_AGENT_EVENTS);
  const auto before = w.ended.size();
  w.reports.expect(5);
  w.give({{number + 1, 5, What::ENDED}});
  CHECK(w.ended.size() == before + 1);
}

}  // namespace
}  // namespace bothy
