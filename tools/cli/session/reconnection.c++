#include "session/reconnection.h"

#include <kj/debug.h>

#include "console/failure.h"

namespace bothy {
namespace {

constexpr auto FIRST_DELAY = 100 * kj::MILLISECONDS;
constexpr auto LAST_DELAY = 2 * kj::SECONDS;

bool mayPass(const kj::Exception& exception) {
  return exception.getType() == kj::Exception::Type::DISCONNECTED ||
         exception.getType() == kj::Exception::Type::OVERLOADED;  // also of the attempt's limit
}

}  // namespace

Reconnection::Reconnection(Context& context, kj::StringPtr workspace, WantedLane wanted,
                           kj::Duration patience, kj::Function<void(kj::StringPtr)> notice)
    : context(context),
      workspace(workspace),
      wanted(wanted),
      patience(patience),
      notice(kj::mv(notice)) {}

kj::Promise<void> Reconnection::begin(Use use) {
  return repeat(kj::mv(use), {AWAY_PATIENCE, FIRST_PATIENCE}, true);
}

kj::Promise<void> Reconnection::run(Use use) {
  return repeat(kj::mv(use), {patience, patience}, false);
}

kj::Promise<void> Reconnection::repeat(Use use, Limits limits, bool isFirst) {
  const auto start = context.timer.now();
  auto delay = FIRST_DELAY;
  lastStall = nullptr;
  bool wasReached = !isFirst, wasNoted = false;
  for (;;) {
    kj::Maybe<kj::Exception> obstacle;
    auto attempt = kj::evalNow([&] { return tryOnce(use); });
    co_await context.timer.timeoutAfter(ATTEMPT_LIMIT, kj::mv(attempt))
        .then([&obstacle](kj::Maybe<kj::Exception> result) { obstacle = kj::mv(result); },
              [&obstacle](kj::Exception&& exception) {
                if (!mayPass(exception)) kj::throwFatalException(kj::mv(exception));
                obstacle = kj::mv(exception);
              });
    if (obstacle == nullptr) co_return;
    auto& reason = KJ_ASSERT_NONNULL(obstacle);
    const bool isAway = isPassingFailure(reason);
    if (isAway && !wasReached && !wasNoted) {
      notice(kj::str("bothyd is not running: waiting ", AWAY_PATIENCE / kj::SECONDS, " s for it"));
      wasNoted = true;
    }
    if (!isAway) wasReached = true;
    if (context.timer.now() - lastStall.orDefault(start) >
        (isAway && !wasReached ? limits.away : limits.unanswered)) {
      if (isAway && wasReached) {
        kj::throwFatalException(failure("bothyd did not come back", EXEC_FAILED));
      }
      if (isFailure(reason)) kj::throwFatalException(kj::mv(reason));
      kj::throwFatalException(failure(
          kj::str(workspace, " did not answer in time: `bothy ls` shows how it is"), EXEC_FAILED));
    }
    co_await context.timer.afterDelay(delay);
    delay = kj::min(delay * 2, LAST_DELAY);
  }
}

// None: `use` was answered.  Else what is to be waited for.
kj::Promise<kj::Maybe<kj::Exception>> Reconnection::tryOnce(Use& use) {
  auto opened = co_await WorkspaceLane::open(context.connector.connect(), context.eventPort,
                                             workspace, wanted);
  KJ_IF_MAYBE (none, opened.tryGet<NoLane>()) {
    co_return passing(kj::mv(*none));
  }
  auto& lane = *opened.get<kj::Own<WorkspaceLane>>();
  auto answered = use(kj::addRef(lane)).eagerlyEvaluate(nullptr);
  KJ_IF_MAYBE (none, co_await lane.whyRefused()) {
    co_return passing(kj::mv(*none));
  }
  co_await answered;
  co_return nullptr;
}

// What is to be waited for; thrown, where waiting does not help.
kj::Exception Reconnection::passing(NoLane none) {
  if (!none.passes) kj::throwFatalException(kj::mv(none.reason));
  KJ_IF_MAYBE (why, none.stalled) {
    if (lastStall == nullptr) notice(*why);
    lastStall = context.timer.now();
  }
  return kj::mv(none.reason);
}

}  // namespace bothy
