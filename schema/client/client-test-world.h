#pragma once

#include <kj/debug.h>

#include "client/reconnection.h"
#include "support/fake-supervisor.h"

namespace bothy {

// Lanes to the workspace of a fake supervisor as a client has them that was given streams: no connection to a supervisor and no
// descriptor is behind them.  Time stands still unless advance() is called.
struct ClientTestWorld: public LaneSource, public Reconnection::Listener {
  explicit ClientTestWorld(rpc::LaneRequest::Which purpose = rpc::LaneRequest::COMMANDS)
      : purpose(purpose) {}

  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  FakeSupervisor supervisor{io};
  const rpc::LaneRequest::Which purpose;
  // Set: why there is no lane.
  kj::Maybe<NoLane::Kind> none;
  kj::uint asked = 0;                             // for a lane
  kj::Own<kj::PromiseFulfiller<void>> pauseOver;  // of the last that was told so

  kj::Vector<kj::Duration> awaited;  // told by onAway
  kj::Vector<kj::String> stalls;
  kj::Vector<kj::String> delays;
  kj::Vector<rpc::LaneEnd> reasons;

  static constexpr auto PATIENCE = 30 * kj::SECONDS;
  Reconnection reconnection{*this, timer, PATIENCE, *this};

  kj::Promise<Opened> open() override {
    ++asked;
    KJ_IF_MAYBE (kind, none) {
      if (*kind == NoLane::Kind::PAUSED) {
        auto paf = kj::newPromiseAndFulfiller<void>();
        pauseOver = kj::mv(paf.fulfiller);
        co_return Opened(NoLane{*kind, KJ_EXCEPTION(FAILED, "no lane"), kj::str("it is paused"),
                                kj::mv(paf.promise)});
      }
      co_return Opened(NoLane{*kind, KJ_EXCEPTION(FAILED, "no lane"), kj::str("the disk is full")});
    }
    co_return Opened(newLane());
  }
  NoLane refused(rpc::Refusal why) override {
    bool passes = why == rpc::Refusal::TOO_MANY_LANES;
    return {passes ? NoLane::Kind::PASSES : NoLane::Kind::FINAL, KJ_EXCEPTION(FAILED, "refused"),
            nullptr};
  }
  void onAway(kj::Duration patience) override { awaited.add(patience); }
  void onDelay(const kj::Exception& why, kj::Duration) override {
    delays.add(kj::str(why.getDescription()));
  }
  void onStall(kj::StringPtr why) override { stalls.add(kj::str(why)); }
  void onLaneEnd(rpc::LaneEnd why) override { reasons.add(why); }
  kj::Exception describe(Reconnection::GaveUp why) override {
    return why == Reconnection::GaveUp::SUPERVISOR_AWAY ? KJ_EXCEPTION(FAILED, "stayed away")
                                                        : KJ_EXCEPTION(FAILED, "no answer");
  }

  kj::Own<WorkspaceLane> newLane() {
    capnp::MallocMessageBuilder message;
    auto wanted = message.initRoot<rpc::LaneRequest>();
    if (purpose == rpc::LaneRequest::INTERACTIVE) {
      wanted.setInteractive();
    } else {
      wanted.setCommands();
    }
    // The lane reads by the time of the world outside, which goes on.
    return kj::refcounted<WorkspaceLane>(supervisor.openLane(wanted), io.provider->getTimer(),
                                         supervisor.startedNanos, supervisor.newLife());
  }

  // Lets everything happen that can happen without time passing.
  void settle() {
    // Pipes need the event port: a poll gives every message that is on its way one more turn.
    constexpr int TURNS = 30;
    for (int i = 0; i < TURNS; ++i) io.waitScope.poll();
  }
  void advance(kj::Duration duration) {
    timer.advanceTo(timer.now() + duration);
    settle();
  }
  // Of a promise that has failed by now.
  template <typename T>
  kj::String failureOf(kj::Promise<T>& promise) {
    KJ_REQUIRE(promise.poll(io.waitScope));
    auto thrown = kj::runCatchingExceptions([&] { promise.wait(io.waitScope); });
    return kj::str(KJ_REQUIRE_NONNULL(thrown, "it has not failed").getDescription());
  }
};

}  // namespace bothy
