#include "client/workspace-lane.h"

#include <kj/debug.h>

namespace bothy {
namespace {

kj::Promise<kj::Maybe<rpc::Refusal>> refusalIn(kj::Promise<LaneAnswer> coming) {
  auto answer = co_await coming;
  KJ_IF_MAYBE (refused, answer.tryGet<LaneRefused>()) co_return refused->why;
  co_return nullptr;
}

}  // namespace

WorkspaceLane::WorkspaceLane(kj::Own<kj::AsyncIoStream> stream, kj::Timer& timer,
                             int64_t startedNanos, kj::Maybe<rpc::Lane::Client> life)
    : started(startedNanos),
      lane(kj::mv(stream), timer, Lane::Use::CLIENT, kj::systemPreciseMonotonicClock()),
      refusal(refusalIn(lane.answer()).fork()),
      life(kj::mv(life)) {}

WorkspaceLane::~WorkspaceLane() noexcept(false) {}

// Not asked before the end: a call that waits costs bothyd memory for each lane.
kj::Promise<kj::Maybe<rpc::LaneEnd>> WorkspaceLane::whyEnded() {
  using Reason = kj::Maybe<rpc::LaneEnd>;
  KJ_REQUIRE(hasEnded());
  KJ_IF_MAYBE (l, life) {
    co_return co_await l->whenEndedRequest().send().then(
        [](auto&& answer) { return Reason(answer.getReason()); },
        [](kj::Exception&&) { return Reason(); });
  }
  co_return nullptr;
}

}  // namespace bothy
