#include "client/reconnection.h"

#include <kj/debug.h>

namespace bothy {
namespace {

constexpr auto FIRST_DELAY = 100 * kj::MILLISECONDS;
constexpr auto LAST_DELAY = 2 * kj::SECONDS;

bool mayPass(const kj::Exception& exception) {
  return exception.getType() == kj::Exception::Type::DISCONNECTED ||
         exception.getType() == kj::Exception::Type::OVERLOADED;  // also of the attempt's limit
}

}  // namespace

kj::Promise<void> Reconnection::begin(Use use) {
  wasAsked = false;
  return repeat(kj::mv(use), {AWAY_PATIENCE, FIRST_PATIENCE}, true);
}

kj::Promise<void> Reconnection::run(kj::Own<WorkspaceLane> lost, Use use) {
  wasAsked = false;
  askWhyEnded(kj::mv(lost));
  return repeat(kj::mv(use), {patience, patience}, false);
}

kj::Promise<void> Reconnection::repeat(Use use, Limits limits, bool isFirst) {
  if (!isFirst) {
    const auto pause = pauseAfterLoss();
    if (pause > 0 * kj::SECONDS) co_await timer.afterDelay(pause);
  }
  const auto start = timer.now();
  kj::Maybe<kj::TimePoint> lastStall;
  auto delay = FIRST_DELAY;
  bool wasReached = !isFirst, wasNoted = false, wasDelayNoted = !isFirst;
  for (;;) {
    bool wasAnswered = false;
    kj::Maybe<NoLane> none;  // null: the lane broke, or nothing came in time
    auto attempt = kj::evalNow([&] { return tryOnce(use); });
    co_await timer.timeoutAfter(ATTEMPT_LIMIT, kj::mv(attempt))
        .then(
            [&](kj::Maybe<NoLane> result) {
              wasAnswered = result == nullptr;
              none = kj::mv(result);
            },
            [](kj::Exception&& exception) {
              if (!mayPass(exception)) kj::throwFatalException(kj::mv(exception));
            });
    if (wasAnswered) {
      lastUse = timer.now();
      co_return;
    }
    bool isAway = false, isOver = false;
    KJ_IF_MAYBE (n, none) {
      if (n->kind == NoLane::Kind::FINAL) kj::throwFatalException(kj::mv(n->reason));
      isAway = n->kind == NoLane::Kind::AWAY;
      if (n->kind == NoLane::Kind::STALLED) {
        if (lastStall == nullptr) listener.onStall(n->stall);
        lastStall = timer.now();
      }
      if (n->kind == NoLane::Kind::PAUSED) {
        if (lastStall == nullptr) listener.onStall(n->stall);
        co_await n->over.then([&isOver]() { isOver = true; }, [](kj::Exception&&) {});
        lastStall = timer.now();
      }
      if (n->kind == NoLane::Kind::PASSES && !wasDelayNoted &&
          timer.now() - start >= UNNOTICED_DELAY) {
        listener.onDelay(n->reason, limits.unanswered);
        wasDelayNoted = true;
      }
    }
    if (isAway && !wasReached && !wasNoted) {
      listener.onAway(limits.away);
      wasNoted = true;
    }
    if (!isAway) wasReached = true;
    if (isOver) {
      delay = FIRST_DELAY;
      continue;
    }
    if (timer.now() - lastStall.orDefault(start) >
        (isAway && !wasReached ? limits.away : limits.unanswered)) {
      if (isAway && wasReached) kj::throwFatalException(listener.describe(GaveUp::SUPERVISOR_AWAY));
      KJ_IF_MAYBE (n, none) kj::throwFatalException(kj::mv(n->reason));
      kj::throwFatalException(listener.describe(GaveUp::NO_ANSWER));
    }
    co_await timer.afterDelay(delay);
    delay = kj::min(delay * 2, LAST_DELAY);
  }
}

// None: `use` was answered.
kj::Promise<kj::Maybe<NoLane>> Reconnection::tryOnce(Use& use) {
  auto opened = co_await source.open();
  KJ_IF_MAYBE (none, opened.tryGet<NoLane>()) {
    co_return kj::mv(*none);
  }
  auto& lane = *opened.get<kj::Own<WorkspaceLane>>();
  co_return co_await askOver(lane, use).catch_([&](kj::Exception&& e) -> kj::Maybe<NoLane> {
    askWhyEnded(kj::addRef(lane));
    kj::throwFatalException(kj::mv(e));
  });
}

kj::Promise<kj::Maybe<NoLane>> Reconnection::askOver(WorkspaceLane& lane, Use& use) {
  auto answered = use(kj::addRef(lane)).eagerlyEvaluate(nullptr);
  KJ_IF_MAYBE (why, co_await lane.whyRefused()) {
    co_return source.refused(*why);
  }
  co_await answered;
  co_return nullptr;
}

// Of lanes that break one after the other the first tells what has happened.  One that has not ended must not be held.
void Reconnection::askWhyEnded(kj::Own<WorkspaceLane> lost) {
  if (wasAsked || !lost->hasEnded()) return;
  wasAsked = true;
  asking = tellWhyEnded(kj::mv(lost)).eagerlyEvaluate(nullptr);
}

// Never fails.
kj::Promise<void> Reconnection::tellWhyEnded(kj::Own<WorkspaceLane> lost) {
  kj::Maybe<rpc::LaneEnd> reason;
  co_await lost->whyEnded()
      .then([&](kj::Maybe<rpc::LaneEnd> why) { reason = why; })
      .exclusiveJoin(timer.afterDelay(REASON_LIMIT));
  KJ_IF_MAYBE (why, reason) listener.onLaneEnd(*why);
}

kj::Duration Reconnection::pauseAfterLoss() {
  const bool hasStood = lastUse == nullptr || timer.now() - KJ_ASSERT_NONNULL(lastUse) >= STANDING;
  shortUses = hasStood ? 0 : shortUses + 1;
  // One may be bad luck.
  if (shortUses <= 1) return 0 * kj::SECONDS;
  auto pause = FIRST_DELAY;
  for (kj::uint i = 2; i < shortUses && pause < MOST_PAUSE; ++i) pause *= 2;
  return kj::min(pause, MOST_PAUSE);
}

}  // namespace bothy
