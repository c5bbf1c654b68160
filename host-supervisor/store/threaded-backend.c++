#include "loop/worker-thread.h"
#include "store/store-backend.h"

namespace bothy {
namespace {

// Longer than the database waits for others, and for those that wait before.
constexpr kj::Duration READ_LIMIT = 60 * kj::SECONDS;

class ThreadedBackend final: public AsyncBackend {
public:
  ThreadedBackend(kj::Timer& timer, kj::Own<StoreBackend> backendParam)
      : backend(kj::mv(backendParam)), thread(timer, "the database") {}

  kj::Promise<StoredState> begin() override {
    return thread.run("begin", READ_LIMIT, [this]() { return backend->begin(); });
  }
  kj::Promise<kj::Maybe<RequestRecord>> request(kj::StringPtr requestId) override {
    return thread.run("request", READ_LIMIT,
                      [this, id = kj::str(requestId)]() { return backend->request(id); });
  }
  kj::Promise<EventPage> events(uint64_t after, size_t limit) override {
    return thread.run("events", READ_LIMIT,
                      [this, after, limit]() { return backend->events(after, limit); });
  }
  kj::Promise<GroupOutcome> commit(uint64_t mark, kj::Array<Change> changes) override {
    return thread.run([this, mark, changes = kj::mv(changes)]() mutable {
      // They end here, and not on the loop.
      auto group = kj::mv(changes);
      return backend->commit(mark, group);
    });
  }
  kj::Promise<bool> holds(uint64_t mark) override {
    return thread.run([this, mark]() { return backend->holds(mark); });
  }

private:
  // The thread ends before the database is closed.
  kj::Own<StoreBackend> backend;
  WorkerThread thread;
};

}  // namespace

kj::Own<AsyncBackend> newThreadedBackend(kj::Timer& timer, kj::Own<StoreBackend> backend) {
  return kj::heap<ThreadedBackend>(timer, kj::mv(backend));
}

}  // namespace bothy
