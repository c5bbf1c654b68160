#include <kj/refcount.h>

#include "loop/worker-thread.h"
#include "store/sqlite-usage.h"

namespace bothy {
namespace {

// Longer than a database waits for others.
constexpr kj::Duration CALL_LIMIT = 60 * kj::SECONDS;

class SqliteUsageStore final: public UsageStore {
public:
  SqliteUsageStore(kj::Timer& timer, kj::StringPtr path)
      : file(kj::atomicRefcounted<File>(path)), thread(timer, "the database of usage") {}

  kj::Promise<StoredUsage> begin() override {
    return run("begin", [](SqliteUsage& usage) { return usage.begin(); });
  }
  kj::Promise<void> commit(UsageChange change) override {
    return run("commit", [change = kj::mv(change)](SqliteUsage& usage) { usage.commit(change); });
  }
  kj::Promise<kj::Array<MeterRow>> meters(kj::Array<kj::String> ids) override {
    return run("meters", [ids = kj::mv(ids)](SqliteUsage& usage) { return usage.meters(ids); });
  }
  kj::Promise<kj::Array<MeterRow>> metersAfter(kj::StringPtr after, size_t limit,
                                               kj::StringPtr workspace,
                                               kj::StringPtr user) override {
    return run("meters", [after = kj::str(after), limit, workspace = kj::str(workspace),
                          user = kj::str(user)](SqliteUsage& usage) {
      return usage.metersAfter(after, limit, workspace, user);
    });
  }
  kj::Promise<kj::Array<MeterRow>> dueMeters(int64_t millis, size_t limit) override {
    return run("due meters",
               [millis, limit](SqliteUsage& usage) { return usage.dueMeters(millis, limit); });
  }
  kj::Promise<UsagePage> records(UsageQuery query) override {
    return run("records",
               [query = kj::mv(query)](SqliteUsage& usage) { return usage.records(query); });
  }

private:
  // Opened by the first call that can; each call has it, so that one that hangs has it also when nobody else does.
  struct File final: public kj::AtomicRefcounted {
    explicit File(kj::StringPtr path) : path(kj::str(path)) {}
    const kj::String path;
    kj::Maybe<kj::Own<SqliteUsage>> usage;

    SqliteUsage& opened() {
      KJ_IF_MAYBE (present, usage) return **present;
      return *usage.emplace(kj::heap<SqliteUsage>(path));
    }
  };
  kj::Own<File> file;
  WorkerThread thread;

  template <typename Func>
  auto run(kj::StringPtr what, Func func)
      -> kj::Promise<decltype(func(kj::instance<SqliteUsage&>()))> {
    return thread.run(what, CALL_LIMIT,
                      [file = kj::atomicAddRef(*file), func = kj::mv(func)]() mutable {
                        return func(file->opened());
                      });
  }
};

}  // namespace

kj::Own<UsageStore> openSqliteUsageStore(kj::Timer& timer, kj::StringPtr path) {
  return kj::heap<SqliteUsageStore>(timer, path);
}

}  // namespace bothy
