#include "session/reconnection.h"

#include <kj/debug.h>
#include <kj/refcount.h>

#include "console/failure.h"
#include "supervisor/outcome.h"

namespace bothy {
namespace {

constexpr auto FIRST_DELAY = 100 * kj::MILLISECONDS;
constexpr auto LAST_DELAY = 2 * kj::SECONDS;

bool mayPass(const kj::Exception& exception) {
  return exception.getType() == kj::Exception::Type::DISCONNECTED ||
         exception.getType() == kj::Exception::Type::OVERLOADED;  // also of the attempt's limit
}

// Of an attempt, and of what goes on over its connection.
class SharedLink final: public SupervisorLink, public kj::Refcounted {
public:
  explicit SharedLink(kj::Own<SupervisorLink> link) : link(kj::mv(link)) {}
  rpc::Supervisor::Client supervisor() override { return link->supervisor(); }
  kj::Promise<void> onDisconnect() override { return link->onDisconnect(); }
  kj::Own<SupervisorLink> addRef() { return kj::addRef(*this); }

private:
  kj::Own<SupervisorLink> link;
};

}  // namespace

Reconnection::Reconnection(Context& context, kj::StringPtr workspace, kj::Duration patience,
                           kj::Function<void(kj::StringPtr)> notice)
    : context(context), workspace(workspace), patience(patience), notice(kj::mv(notice)) {}

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
  auto link = kj::refcounted<SharedLink>(context.connector.connect());
  auto request = link->supervisor().connectRequest();
  request.setName(workspace);
  auto connecting = request.send();
  auto answered = use(link->addRef(), connecting.getWorkspace()).eagerlyEvaluate(nullptr);
  auto connection = co_await connecting;
  auto outcome = connection.getOutcome();
  KJ_IF_MAYBE (exception, co_await whyNotConnected(link->supervisor(), workspace, outcome)) {
    if (outcome.isStalled()) {
      if (lastStall == nullptr) notice(outcome.getStalled());
      lastStall = context.timer.now();
    }
    // What comes after a stop tells more than the stop: the workspace is stopped, or runs again after a reboot.
    const bool passes =
        outcome.isUnreachable() || outcome.isStalled() ||
        (outcome.isNotRunning() && (outcome.getNotRunning() == rpc::WorkspaceState::STARTING ||
                                    outcome.getNotRunning() == rpc::WorkspaceState::STOPPING));
    if (!passes) kj::throwFatalException(kj::mv(*exception));
    co_return kj::mv(*exception);
  }
  co_await answered;
  co_return nullptr;
}

}  // namespace bothy
