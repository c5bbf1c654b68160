#include "client/workspace-lane.h"

namespace bothy {
namespace {

kj::Promise<kj::Maybe<rpc::Refusal>> refusalIn(kj::Promise<LaneAnswer> coming) {
  auto answer = co_await coming;
  KJ_IF_MAYBE (refused, answer.tryGet<LaneRefused>()) co_return refused->why;
  co_return nullptr;
}

}  // namespace

WorkspaceLane::WorkspaceLane(kj::Own<kj::AsyncIoStream> stream, kj::Timer& timer,
                             int64_t startedNanos)
    : started(startedNanos),
      lane(kj::mv(stream), timer, Lane::Use::CLIENT, kj::systemPreciseMonotonicClock()),
      refusal(refusalIn(lane.answer()).fork()) {}

WorkspaceLane::~WorkspaceLane() noexcept(false) {}

}  // namespace bothy
