#include "process/requested-starts.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"

namespace bothy {
namespace {

constexpr auto MEMORY = rpc::REQUEST_MEMORY_MILLIS * kj::MILLISECONDS;

}  // namespace

kj::Promise<kj::Own<RequestedStarts::Result>> RequestedStarts::once(
    kj::StringPtr requestId, kj::FunctionParam<kj::Promise<Result::Outcome>()> start) {
  forgetOld();
  KJ_IF_MAYBE (known, starts.find(requestId)) {
    return known->addBranch();
  }
  auto starting = kj::evalNow([&]() { return start(); });
  auto& added = starts.insert(kj::str(requestId), run(kj::str(requestId), kj::mv(starting)).fork());
  return added.value.addBranch();
}

void RequestedStarts::giveUp() {
  auto givenUp = kj::mv(starts);
  starts = {};
}

kj::Promise<kj::Own<RequestedStarts::Result>> RequestedStarts::run(
    kj::String requestId, kj::Promise<Result::Outcome> starting) {
  bool hasProgram = false;
  KJ_DEFER(if (!hasProgram) programIsGone(requestId));
  auto outcome = co_await starting;
  hasProgram = outcome.is<uint64_t>();
  co_return kj::refcounted<Result>(kj::mv(outcome));
}

void RequestedStarts::programIsGone(kj::StringPtr requestId) {
  gone.push_back(Gone{kj::str(requestId), timer.now()});
  if (isForgetting) return;
  isForgetting = true;
  forgetting = forgetInTime().eagerlyEvaluate(
      [](kj::Exception&& exception) { KJ_LOG(ERROR, "requests are not forgotten", exception); });
}

kj::Promise<void> RequestedStarts::forgetInTime() {
  KJ_DEFER(isForgetting = false);
  while (!gone.empty()) {
    co_await timer.atTime(gone.front().since + MEMORY);
    forgetOld();
  }
}

void RequestedStarts::forgetOld() {
  while (gone.size() > rpc::MAX_REMEMBERED_REQUESTS ||
         (gone.size() > 0 && timer.now() - gone.front().since >= MEMORY)) {
    starts.erase(gone.front().requestId);
    gone.pop_front();
  }
}

}  // namespace bothy
