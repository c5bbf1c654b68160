#include <kj/refcount.h>

#include "loop/worker-thread.h"
#include "store/store-backend.h"

namespace bothy {
namespace {

// Longer than the database waits for others, and for those that wait before.
constexpr kj::Duration READ_LIMIT = 60 * kj::SECONDS;

// Each call has it, so that one that hangs has it also when nobody else does.
struct SharedBackend final: public kj::AtomicRefcounted {
  explicit SharedBackend(kj::Own<StoreBackend> backend) : backend(kj::mv(backend)) {}
  kj::Own<StoreBackend> backend;
};

class ThreadedBackend final: public AsyncBackend {
public:
  ThreadedBackend(kj::Timer& timer, kj::Own<StoreBackend> backend)
      : shared(kj::atomicRefcounted<SharedBackend>(kj::mv(backend))),
        thread(timer, "the database") {}

  kj::Promise<StoredState> begin() override {
    return read("begin", [](StoreBackend& backend) { return backend.begin(); });
  }
  kj::Promise<kj::Maybe<RequestRecord>> request(kj::StringPtr requestId) override {
    return read("request",
                [id = kj::str(requestId)](StoreBackend& backend) { return backend.request(id); });
  }
  kj::Promise<kj::Maybe<kj::Array<const kj::byte>>> configuration(
      kj::StringPtr workspaceId) override {
    return read("configuration", [id = kj::str(workspaceId)](StoreBackend& backend) {
      return backend.configuration(id);
    });
  }
  kj::Promise<EventPage> events(uint64_t after, size_t limit) override {
    return read("events",
                [after, limit](StoreBackend& backend) { return backend.events(after, limit); });
  }
  // Who reads keeps nobody from writing.
  kj::Promise<GroupOutcome> commit(uint64_t mark, kj::Array<Change> changes) override {
    return thread.runBefore(
        [backend = kj::atomicAddRef(*shared), mark, changes = kj::mv(changes)]() mutable {
          // The changes end with this job: on the thread, behind its answer.
          return backend->backend->commit(mark, changes);
        });
  }
  kj::Promise<bool> holds(uint64_t mark) override {
    return thread.runBefore([backend = kj::atomicAddRef(*shared), mark]() mutable {
      return backend->backend->holds(mark);
    });
  }

private:
  kj::Own<SharedBackend> shared;
  WorkerThread thread;

  template <typename Func>
  auto read(kj::StringPtr what, Func func)
      -> kj::Promise<decltype(func(kj::instance<StoreBackend&>()))> {
    return thread.run(what, READ_LIMIT,
                      [backend = kj::atomicAddRef(*shared), func = kj::mv(func)]() mutable {
                        return func(*backend->backend);
                      });
  }
};

}  // namespace

kj::Own<AsyncBackend> newThreadedBackend(kj::Timer& timer, kj::Own<StoreBackend> backend) {
  return kj::heap<ThreadedBackend>(timer, kj::mv(backend));
}

}  // namespace bothy
