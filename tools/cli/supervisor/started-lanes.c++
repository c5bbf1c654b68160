#include "supervisor/started-lanes.h"

#include <kj/debug.h>

#include "client/reconnection.h"
#include "console/failure.h"

namespace bothy {
namespace {

// Of one attempt, how long it waits for the start.
constexpr auto START_TURN = 10 * kj::SECONDS;
static_assert(START_TURN < Reconnection::ATTEMPT_LIMIT);

}  // namespace

kj::Promise<LaneSource::Opened> StartedLanes::open() {
  if (wasTaken) co_return co_await source.open();
  KJ_IF_MAYBE (none, co_await untilStarted()) {
    co_return Opened(kj::mv(*none));
  }
  auto opened = co_await source.open();
  KJ_IF_MAYBE (none, opened.tryGet<NoLane>()) {
    if (starting != nullptr || !isNotRunningFailure(none->reason)) co_return kj::mv(opened);
    // A failure of the start is final, of whatever kind it is.
    starting = start()
                   .catch_([](kj::Exception&& exception) {
                     auto told = describe(exception);
                     kj::throwFatalException(failure(told.message, told.exitCode));
                   })
                   .fork();
    KJ_IF_MAYBE (still, co_await untilStarted()) {
      co_return Opened(kj::mv(*still));
    }
    opened = co_await source.open();
  }
  KJ_IF_MAYBE (lane, opened.tryGet<kj::Own<WorkspaceLane>>()) {
    wasTaken = co_await (*lane)->whyRefused() == nullptr;
  }
  co_return kj::mv(opened);
}

// None: no start is under way.
kj::Promise<kj::Maybe<NoLane>> StartedLanes::untilStarted() {
  KJ_IF_MAYBE (s, starting) {
    bool isRunning = false;
    co_await s->addBranch()
        .then([&isRunning]() { isRunning = true; })
        .exclusiveJoin(timer.afterDelay(START_TURN));
    if (!isRunning) {
      auto text = kj::str(workspace, " had stopped, and is being started");
      co_return NoLane{NoLane::Kind::STALLED, failure(text), kj::mv(text)};
    }
  }
  co_return nullptr;
}

}  // namespace bothy
