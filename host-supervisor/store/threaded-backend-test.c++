#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/mutex.h>
#include <kj/vector.h>

#include <catch2/catch_test_macros.hpp>

#include "loop/worker-thread.h"
#include "store/store-backend.h"

namespace bothy {
namespace {

// What it is asked to read it reads when it is let.
class HeldBackend final: public StoreBackend {
public:
  struct State {
    bool isReading = false;
    bool mayRead = false;
    bool hasRead = false;
    bool isGone = false;
    bool wasGoneTooEarly = false;
  };
  explicit HeldBackend(kj::MutexGuarded<State>& state) : state(state) {}
  ~HeldBackend() noexcept(false) {
    auto locked = state.lockExclusive();
    locked->isGone = true;
    locked->wasGoneTooEarly = locked->isReading && !locked->hasRead;
  }

  StoredState begin() override { return {}; }
  kj::Maybe<RequestRecord> request(kj::StringPtr) override { return nullptr; }
  kj::Maybe<kj::Array<const kj::byte>> configuration(kj::StringPtr) override { return nullptr; }
  EventPage events(uint64_t, size_t) override {
    state.lockExclusive()->isReading = true;
    auto locked = state.lockExclusive();
    locked.wait([](const State& state) { return state.mayRead; });
    locked->hasRead = true;
    return {};
  }
  GroupOutcome commit(uint64_t, kj::ArrayPtr<const Change>) override { return {}; }
  bool holds(uint64_t) override { return true; }

private:
  kj::MutexGuarded<State>& state;
};

TEST_CASE("P59 as many reads as may wait refuse a read, and no change") {
  auto io = kj::setupAsyncIo();
  kj::MutexGuarded<HeldBackend::State> state;
  auto backend = newThreadedBackend(io.provider->getTimer(), kj::heap<HeldBackend>(state));
  KJ_DEFER(state.lockExclusive()->mayRead = true);
  kj::Vector<kj::Promise<EventPage>> reads;
  auto refusal = kj::runCatchingExceptions([&]() {
    for (size_t i = 0; i < WORKER_QUEUE_LIMIT_JOBS + 2; i++) reads.add(backend->events(0, 1));
  });
  CHECK(KJ_ASSERT_NONNULL(refusal).getType() == kj::Exception::Type::OVERLOADED);
  auto commit = backend->commit(1, nullptr);
  auto held = backend->holds(1);
  state.lockExclusive()->mayRead = true;
  commit.wait(io.waitScope);
  CHECK(held.wait(io.waitScope));
}

TEST_CASE("P59 a read that hangs beyond its limit has its database until it ends") {
  auto io = kj::setupAsyncIo();
  kj::TimerImpl clock(kj::origin<kj::TimePoint>());
  kj::MutexGuarded<HeldBackend::State> state;
  auto backend = newThreadedBackend(clock, kj::heap<HeldBackend>(state));
  {
    auto reading = backend->events(0, 1);
    state.lockExclusive().wait([](const HeldBackend::State& state) { return state.isReading; });
    clock.advanceTo(kj::origin<kj::TimePoint>() + 1 * kj::HOURS);
    CHECK_THROWS(reading.wait(io.waitScope));
  }
  backend = nullptr;
  state.lockExclusive()->mayRead = true;
  auto locked = state.lockExclusive();
  locked.wait([](const HeldBackend::State& state) { return state.isGone; });
  CHECK_FALSE(locked->wasGoneTooEarly);
}

}  // namespace
}  // namespace bothy
