#include "agent/lane-stock.h"

#include <kj/debug.h>

#include "lane/lane-greeting.h"
#include "schema/limits.capnp.h"
#include "wire/vsock-stream.h"

namespace bothy {

using Stream = kj::Own<kj::AsyncIoStream>;

static_assert(KEPT_SPARES <= rpc::MAX_SPARE_LANES);

LaneStock::Spare::Spare(Stream streamParam)
    : stream(kj::mv(streamParam)),
      watch(stream->whenWriteDisconnected()
                .then([this]() { isClosed = true; })
                .eagerlyEvaluate([this](kj::Exception&&) { isClosed = true; })) {}

LaneStock::LaneStock(kj::Timer& timer, kj::Array<const kj::byte> secret, Dial dial)
    : timer(timer), secret(kj::mv(secret)), dial(kj::mv(dial)), tasks(*this) {}

LaneStock::~LaneStock() noexcept(false) {}

kj::Promise<Stream> LaneStock::take() {
  // A watch hears of an end by the event loop, so after a taker who comes before that, and of no end of one direction alone.
  std::erase_if(spares,
                [](auto& spare) { return spare->isClosed || hasPeerEnded(*spare->stream); });
  if (!spares.empty()) {
    auto spare = kj::mv(spares.front());
    spares.pop_front();
    replenish();
    spare->watch = nullptr;
    return kj::mv(spare->stream);
  }
  dropTakersWhoLeft();
  auto paf = kj::newPromiseAndFulfiller<Stream>();
  takers.push_back(kj::mv(paf.fulfiller));
  if (hopeful() < takers.size()) startDial();
  return kj::mv(paf.promise);
}

void LaneStock::startDial() {
  if (dialling < MAX_DIALS) {
    tasks.add(dialOnce());
  } else if (!takers.empty()) {
    refuseOldest(KJ_EXCEPTION(DISCONNECTED, "the workspace's agent answers none of the dials"));
  }
}

void LaneStock::replenish() {
  if (isReplenishing) return;
  isReplenishing = true;
  tasks.add(timer.afterDelay(SPARE_PAUSE).then([this]() {
    isReplenishing = false;
    if (spares.size() < KEPT_SPARES && hopeful() == 0 && dialling < MAX_DIALS) startDial();
  }));
}

kj::Promise<void> LaneStock::dialOnce() {
  kj::Maybe<kj::Exception> failure;
  {
    ++dialling;
    bool isSlow = false;
    KJ_DEFER({
      --dialling;
      if (isSlow) --slow;
    });
    auto watch = timer.afterDelay(SLOW_DIAL)
                     .then([this, &isSlow]() {
                       isSlow = true;
                       ++slow;
                       dropTakersWhoLeft();
                       if (hopeful() < takers.size() && slow <= MAX_REPEATED_DIALS) startDial();
                     })
                     .eagerlyEvaluate(nullptr);
    auto unanswered = timer.afterDelay(DIAL_LIMIT).then([]() -> kj::Promise<Stream> {
      return KJ_EXCEPTION(DISCONNECTED, "the workspace's agent does not answer a dial");
    });
    co_await dialAndGreet()
        .exclusiveJoin(kj::mv(unanswered))
        .then([this](Stream&& stream) { give(kj::mv(stream)); },
              [&failure](kj::Exception&& e) { failure = kj::mv(e); });
  }
  KJ_IF_MAYBE (e, failure) {
    dropTakersWhoLeft();
    if (takers.size() > hopeful()) refuseOldest(kj::mv(*e));
  }
}

kj::Promise<Stream> LaneStock::dialAndGreet() {
  auto stream = co_await dial();
  co_await writeHello(*stream, secret);
  co_return kj::mv(stream);
}

void LaneStock::give(Stream stream) {
  dropTakersWhoLeft();
  if (!takers.empty()) {
    auto taker = kj::mv(takers.front());
    takers.pop_front();
    taker->fulfill(kj::mv(stream));
    if (takers.empty() && spares.empty()) replenish();
  } else if (spares.size() < KEPT_SPARES) {
    spares.push_back(kj::heap<Spare>(kj::mv(stream)));
  }
}

void LaneStock::refuseOldest(kj::Exception&& why) {
  dropTakersWhoLeft();
  if (takers.empty()) return;
  auto taker = kj::mv(takers.front());
  takers.pop_front();
  taker->reject(kj::mv(why));
}

void LaneStock::dropTakersWhoLeft() {
  std::erase_if(takers, [](auto& taker) { return !taker->isWaiting(); });
}

void LaneStock::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "a dial failed", exception.getDescription());
}

}  // namespace bothy
