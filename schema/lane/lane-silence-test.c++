#include "lane/lane-silence.h"

#include <catch2/catch_test_macros.hpp>

#include "lane/lane-greeting.h"
#include "lane/lane.h"
#include "schema/agent.capnp.h"
#include "schema/limits.capnp.h"
#include "wire/rpc-connection.h"

namespace bothy {
namespace {

constexpr kj::Duration ANSWER_LIMIT = ANSWER_LOOKS * ANSWER_LOOK_PAUSE;

// Answers Bootstraps, and no call.
class SlowControl final: public rpc::AgentControl::Server {
  kj::Promise<void> ping(PingContext) override { return kj::NEVER_DONE; }
};

struct World {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  kj::TwoWayPipe pipe = io.provider->newTwoWayPipe();
  Lane lane{kj::mv(pipe.ends[0]), timer};
  kj::Maybe<kj::Own<RpcConnection>> agent;

  World() {
    auto message = kj::heap<capnp::MallocMessageBuilder>();
    message->initRoot<rpc::Welcome>().setGeneration(rpc::GENERATION);
    writeGreeting(*pipe.ends[1], kj::mv(message)).wait(scope);
    lane.answer().wait(scope);
  }
  void serve() {
    agent = kj::heap<RpcConnection>(kj::mv(pipe.ends[1]),
                                    rpc::AgentControl::Client(kj::heap<SlowControl>()));
  }
  capnp::RemotePromise<rpc::AgentControl::PingResults> call() {
    return lane.bootstrap().castAs<rpc::AgentControl>().pingRequest().send();
  }
  void pass(kj::Duration time) {
    for (auto end = timer.now() + time; timer.now() < end;) {
      timer.advanceTo(kj::min(end, timer.now() + 1 * kj::SECONDS));
      io.provider->getTimer().afterDelay(0 * kj::NANOSECONDS).wait(scope);
      scope.poll();
    }
  }
};

TEST_CASE("P09 a lane that owes an answer and is silent ends") {
  World w;
  auto calling = w.call();
  CHECK_FALSE(calling.poll(w.scope));
  w.pass(LANE_SILENCE + ANSWER_LIMIT - 1 * kj::SECONDS);
  CHECK_FALSE(w.lane.hasEnded());
  w.pass(2 * kj::SECONDS);
  CHECK(w.lane.hasEnded());
  auto type = calling.ignoreResult()
                  .then([]() { return kj::Exception::Type::FAILED; },
                        [](kj::Exception&& e) { return e.getType(); })
                  .wait(w.scope);
  CHECK(type == kj::Exception::Type::DISCONNECTED);
}

TEST_CASE("P09 a lane whose agent answers goes on, however long a call takes") {
  World w;
  w.serve();
  auto calling = w.call();
  w.pass(10 * (LANE_SILENCE + ANSWER_LIMIT));
  CHECK_FALSE(w.lane.hasEnded());
  CHECK_FALSE(calling.poll(w.scope));
}

TEST_CASE("P09 a lane that owes nothing, or that its client does not read, is not asked") {
  struct QuietLane final: public ListenedLane {
    uint64_t received() override { return 1; }
    bool isWaiting() override { return waits; }
    kj::Promise<void> ask() override {
      asked++;
      return kj::NEVER_DONE;
    }
    bool waits = false;
    kj::uint asked = 0;
  } lane;
  kj::EventLoop loop;
  kj::WaitScope scope(loop);
  kj::TimerImpl timer(kj::origin<kj::TimePoint>());
  auto silent = untilSilent(timer, lane).eagerlyEvaluate(nullptr);
  auto pass = [&](kj::Duration time) {
    for (auto end = timer.now() + time; timer.now() < end;) {
      timer.advanceTo(timer.now() + 1 * kj::SECONDS);
      scope.poll();
    }
  };
  pass(10 * (LANE_SILENCE + ANSWER_LIMIT));
  CHECK_FALSE(silent.poll(scope));
  CHECK(lane.asked == 0);
  lane.waits = true;
  pass(2 * LANE_SILENCE + ANSWER_LIMIT);
  CHECK(lane.asked == 1);
  CHECK(silent.poll(scope));
}

}  // namespace
}  // namespace bothy
