#include "client/workspace-lane.h"

#include <kj/debug.h>

namespace bothy {

WorkspaceLane::WorkspaceLane(kj::Own<kj::AsyncIoStream> stream, kj::Timer& timer,
                             int64_t startedNanos, kj::Maybe<rpc::Lane::Client> life)
    : started(startedNanos),
      lane(kj::mv(stream), timer, Lane::Use::CLIENT, kj::systemPreciseMonotonicClock()),
      answer(lane.answer().fork()),
      life(kj::mv(life)) {}

WorkspaceLane::~WorkspaceLane() noexcept(false) {}

kj::Promise<kj::Maybe<rpc::Refusal>> WorkspaceLane::whyRefused() {
  using Why = kj::Maybe<rpc::Refusal>;
  return answer.addBranch().then([](LaneAnswer&& given) -> Why {
    return given.tryGet<LaneRefused>().map([](const LaneRefused& refused) { return refused.why; });
  });
}

kj::Promise<uint16_t> WorkspaceLane::generation() {
  return answer.addBranch().then([](LaneAnswer&& given) -> uint16_t {
    KJ_IF_MAYBE (spoken, given.tryGet<uint16_t>()) return *spoken;
    kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "the agent has refused the lane"));
  });
}

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
