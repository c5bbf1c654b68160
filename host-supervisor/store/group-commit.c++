#include "store/group-commit.h"

#include <kj/debug.h>

#include <deque>

namespace bothy {
namespace {

// Between two tries to read whether a transaction is in.
constexpr kj::Duration LEAST_READ_PAUSE = 100 * kj::MILLISECONDS;
constexpr kj::Duration MOST_READ_PAUSE = 5 * kj::SECONDS;
class GroupCommitStore final: public Store {
public:
  GroupCommitStore(kj::Timer& timer, kj::Own<AsyncBackend> backendParam)
      : timer(timer), backend(kj::mv(backendParam)), fence(nullptr) {
    auto paf = kj::newPromiseAndFulfiller<void>();
    fenceFulfiller = kj::mv(paf.fulfiller);
    fence = paf.promise.fork();
  }

  kj::Promise<StoredState> begin() override { return backend->begin(); }

  kj::Promise<Committed> commit(Change change) override {
    if (waiting.size() >= WAITING_LIMIT_CHANGES) {
      return KJ_EXCEPTION(OVERLOADED, "as many changes wait for the database as may",
                          WAITING_LIMIT_CHANGES);
    }
    auto paf = kj::newPromiseAndFulfiller<Committed>();
    waiting.push_back({kj::mv(change), kj::mv(paf.fulfiller)});
    if (!writes) {
      writes = true;
      writing = write().eagerlyEvaluate([](kj::Exception&& e) {
        KJ_LOG(FATAL, "nothing is written into the database any more", e.getDescription());
      });
    }
    return kj::mv(paf.promise);
  }

  kj::Promise<kj::Maybe<RequestRecord>> request(kj::StringPtr requestId) override {
    return backend->request(requestId);
  }

  kj::Promise<kj::Maybe<kj::Array<const kj::byte>>> configuration(
      kj::StringPtr workspaceId) override {
    return backend->configuration(workspaceId);
  }

  kj::Promise<EventPage> events(uint64_t after, size_t limit) override {
    return backend->events(after, limit);
  }

  kj::Promise<void> untilFenced() override { return fence.addBranch(); }

private:
  struct Waiting {
    Change change;
    kj::Own<kj::PromiseFulfiller<Committed>> fulfiller;
  };
  using Fulfillers = kj::Array<kj::Own<kj::PromiseFulfiller<Committed>>>;

  kj::Timer& timer;
  kj::Own<AsyncBackend> backend;
  std::deque<Waiting> waiting;
  bool writes = false;
  uint64_t lastMark = 0;
  kj::Own<kj::PromiseFulfiller<void>> fenceFulfiller;
  kj::ForkedPromise<void> fence;
  kj::Promise<void> writing = nullptr;

  kj::Promise<void> write() {
    KJ_DEFER(writes = false);
    // All that is asked for in this turn of the loop is in the first group.
    co_await kj::evalLater([]() {});
    while (!waiting.empty()) co_await writeGroup();
  }

  kj::Promise<void> writeGroup() {
    auto count = kj::min(waiting.size(), GROUP_LIMIT_CHANGES);
    auto changes = kj::heapArrayBuilder<Change>(count);
    auto fulfillers = kj::heapArrayBuilder<kj::Own<kj::PromiseFulfiller<Committed>>>(count);
    for (size_t i = 0; i < count; i++) {
      changes.add(kj::mv(waiting.front().change));
      fulfillers.add(kj::mv(waiting.front().fulfiller));
      waiting.pop_front();
    }
    auto mark = ++lastMark;
    auto waiters = fulfillers.finish();
    kj::Maybe<kj::Exception> failure;
    try {
      auto outcome = co_await backend->commit(mark, changes.finish());
      KJ_IF_MAYBE (doubt, outcome.doubt) {
        KJ_LOG(ERROR, "whether a change is in the database is being read", *doubt);
        if (!co_await isIn(mark)) failure = kj::mv(*doubt);
      }
      if (failure == nullptr) answer(waiters, outcome);
    } catch (...) {
      failure = kj::getCaughtExceptionAsKj();
    }
    KJ_IF_MAYBE (e, failure) {
      if (isFenced(*e)) fenceFulfiller->reject(kj::cp(*e));
      for (auto& waiter : waiters) waiter->reject(kj::cp(*e));
    }
  }

  static void answer(Fulfillers& waiters, GroupOutcome& outcome) {
    for (auto i : kj::indices(waiters)) {
      KJ_IF_MAYBE (refusal, outcome.refusals[i]) {
        waiters[i]->reject(kj::mv(*refusal));
      } else {
        waiters[i]->fulfill(Committed{outcome.lastEvent});
      }
    }
  }

  kj::Promise<bool> isIn(uint64_t mark) {
    for (auto pause = LEAST_READ_PAUSE;; pause = kj::min(pause * 2, MOST_READ_PAUSE)) {
      kj::Maybe<kj::Exception> failure;
      try {
        co_return co_await backend->holds(mark);
      } catch (...) {
        failure = kj::getCaughtExceptionAsKj();
      }
      auto& e = KJ_ASSERT_NONNULL(failure);
      if (isFenced(e)) kj::throwFatalException(kj::mv(e));
      KJ_LOG(ERROR, "whether a change is in the database cannot be read; trying again",
             e.getDescription());
      co_await timer.afterDelay(pause);
    }
  }
};

}  // namespace

kj::Own<Store> newGroupCommitStore(kj::Timer& timer, kj::Own<AsyncBackend> backend) {
  return kj::heap<GroupCommitStore>(timer, kj::mv(backend));
}

}  // namespace bothy
