#pragma once

#include <kj/map.h>

#include "store/usage-store.h"

namespace bothy {

// A store of usage in memory, which refuses what a test wants it to.  Whoever drops what uses it and goes on with it has restarted bothyd.
class FakeUsageStore final: public UsageStore {
public:
  kj::Promise<StoredUsage> begin() override;
  kj::Promise<void> commit(UsageChange change) override;
  kj::Promise<kj::Array<MeterRow>> meters(kj::Array<kj::String> workspaceIds) override;
  kj::Promise<kj::Array<MeterRow>> metersAfter(kj::StringPtr after, size_t limit,
                                               kj::StringPtr workspace,
                                               kj::StringPtr user) override;
  kj::Promise<kj::Array<MeterRow>> dueMeters(int64_t millis, size_t limit) override;
  kj::Promise<UsagePage> records(UsageQuery query) override;

  // The next so many changes that fail, and whether they are in all the same.
  uint32_t changesToFail = 0;
  bool failedAreIn = false;
  // How many there were, and how many rows of meters they had.
  uint64_t commits = 0, rowsWritten = 0;

  // Of the last change.
  const Moment& lastLook() const { return writer.at; }

  kj::TreeMap<kj::String, MeterRow> rows;
  kj::TreeMap<uint64_t, UsageRecord> closed;

private:
  StoredUsage writer;

  void apply(const UsageChange& change);
  template <typename Test>
  kj::Array<MeterRow> rowsThat(size_t limit, Test&& test) const;
};

}  // namespace bothy
