#include "session/reconnection.h"

#include <kj/debug.h>

#include "console/failure.h"
#include "supervisor/outcome.h"

namespace bothy {
namespace {

constexpr auto FIRST_DELAY = 100 * kj::MILLISECONDS;
constexpr auto LAST_DELAY = 2 * kj::SECONDS;
constexpr auto ATTEMPT_LIMIT = 20 * kj::SECONDS;

bool mayPass(const kj::Exception& exception) {
  return exception.getType() == kj::Exception::Type::DISCONNECTED ||
         exception.getType() == kj::Exception::Type::OVERLOADED ||  // also of the attempt's limit
         describe(exception).message.startsWith("bothyd is not running");
}

}  // namespace

Reconnection::Reconnection(Context& context, kj::StringPtr workspace, kj::Duration patience,
                           kj::Function<void(kj::StringPtr)> notice)
    : context(context), workspace(workspace), patience(patience), notice(kj::mv(notice)) {}

kj::Promise<void> Reconnection::run(Use use) {
  auto start = context.timer.now();
  auto delay = FIRST_DELAY;
  lastStall = nullptr;
  for (;;) {
    bool done = false;
    auto attempt = kj::evalNow([&] { return tryOnce(use); });
    co_await context.timer.timeoutAfter(ATTEMPT_LIMIT, kj::mv(attempt))
        .then([&done](bool result) { done = result; },
              [](kj::Exception&& exception) {
                if (!mayPass(exception)) kj::throwFatalException(kj::mv(exception));
              });
    if (done) co_return;
    if (context.timer.now() - lastStall.orDefault(start) > patience) {
      kj::throwFatalException(failure("bothyd did not come back", EXEC_FAILED));
    }
    co_await context.timer.afterDelay(delay);
    delay = kj::min(delay * 2, LAST_DELAY);
  }
}

// False: not yet.
kj::Promise<bool> Reconnection::tryOnce(Use& use) {
  auto link = context.connector.connect();
  auto request = link->supervisor().connectRequest();
  request.setName(workspace);
  auto connection = co_await request.send();
  auto outcome = connection.getOutcome();
  if (outcome.isUnreachable()) co_return false;
  if (outcome.isStalled()) {
    if (lastStall == nullptr) notice(outcome.getStalled());
    lastStall = context.timer.now();
    co_return false;
  }
  if (outcome.isNotRunning() && outcome.getNotRunning() == rpc::WorkspaceState::STARTING) {
    co_return false;
  }
  requireConnected(workspace, outcome);
  co_await use(kj::mv(link), connection.getWorkspace());
  co_return true;
}

}  // namespace bothy
