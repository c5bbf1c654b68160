#include "rpc/lane-server.h"

#include "lane/lane-greeting.h"
#include "wire/rpc-connection.h"

namespace bothy {
namespace {

// Of whoever has a lane.  An answer that is waited for or kept takes some 5 KiB here.
constexpr GuardRules CLIENT_RULES = {GuardRules::Peer::ASKS, rpc::MAX_MESSAGE_WORDS,
                                     rpc::MAX_LANE_UNREAD_BYTES, rpc::MAX_LANE_ANSWERS,
                                     rpc::MAX_LANE_EXPORTS};
static_assert(rpc::MAX_LANE_ANSWERS > rpc::MAX_PROCESSES);

}  // namespace

kj::Promise<kj::Maybe<kj::String>> LaneServer::serve(kj::Own<VsockStream> ownStream,
                                                     capnp::Capability::Client bootstrap,
                                                     LaneService service,
                                                     kj::Function<void()> close) {
  auto& stream = *ownStream;
  co_await timer.timeoutAfter(WELCOME_LIMIT, writeGreeting(stream, newWelcome(service.generation)));
  if (service.isBulk) stream.enlargeBufferForBulk();
  RpcConnection connection(kj::mv(ownStream), kj::mv(bootstrap), timer, CLIENT_RULES, memory, clock,
                           service.holder);
  auto& guard = connection.requireGuard();
  stream.slowReads([&guard](size_t have) { return guard.waitForPart(have); });
  // The RPC system ends with its last write, which may hang for good when nobody reads it.
  kj::Maybe<kj::TimePoint> ended;
  CreditUpdates::Lane watched(creditUpdates, guard, [&]() {
    stream.sendCreditUpdate();
    if (!stream.hasPeerEnded()) return;
    if (ended == nullptr) ended = timer.now();
    if (timer.now() - KJ_ASSERT_NONNULL(ended) >= CLOSED_LINGER) close();
  });
  // Told of all but the kernel's vsock.
  auto hungUp =
      stream.whenWriteDisconnected().then([this]() { return timer.afterDelay(CLOSED_LINGER); });
  co_await connection.onDisconnect().exclusiveJoin(kj::mv(hungUp));
  co_return guard.whyEnded().map([](kj::StringPtr why) { return kj::str(why); });
}

kj::Promise<void> LaneServer::refuse(kj::Own<VsockStream> stream, rpc::Refusal why,
                                     uint16_t oldest) {
  co_await timer.timeoutAfter(WELCOME_LIMIT, writeGreeting(*stream, newRefusal(why, oldest)));
  co_await stream->whenWriteDisconnected().exclusiveJoin(timer.afterDelay(REFUSAL_LINGER));
}

}  // namespace bothy
