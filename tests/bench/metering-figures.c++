#include "bench/metering-figures.h"

#include <stdlib.h>

#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/filesystem.h>

#include "metering/metering.h"
#include "store/sqlite-usage.h"
#include "support/fake-event-store.h"

namespace bothy {
namespace {

constexpr uint RUNNING = 500, RESTING = 10000;
constexpr uint EVENTS = 4000;
constexpr uint SAMPLES = 20;

// On a disk, not in memory.
struct Directory {
  char path[32] = "/var/tmp/bothy-bench-XXXXXX";
  Directory() { KJ_REQUIRE(mkdtemp(path) != nullptr); }
  ~Directory() noexcept(false) {
    kj::newDiskFilesystem()->getRoot().remove(kj::Path::parse(kj::StringPtr(path).slice(1)));
  }
  KJ_DISALLOW_COPY_AND_MOVE(Directory);
};

kj::String idOf(uint number) {
  return kj::str("0123456789abcdef-", 100000 + number);
}

// Of workspaces of which the first ones run, and whose machines have taken a second more at each look.
class ManyMachines final: public MeteredHost {
public:
  Moment now() override { return moments.now(); }
  kj::Promise<kj::Array<VmConsumption>> consumption() override {
    looks++;
    auto all = kj::heapArrayBuilder<VmConsumption>(RUNNING);
    for (uint i = 0; i < RUNNING; i++)
      all.add(VmConsumption{idOf(i), i + 1, looks * 1'000'000'000});
    return all.finish();
  }
  kj::Maybe<MeteredWorkspace> find(kj::StringPtr id) override {
    return MeteredWorkspace{kj::str(id), kj::str("w-", id), WorkspaceState::RUNNING, 512, 2048};
  }
  kj::Array<MeteredWorkspace> page(kj::StringPtr after) override {
    constexpr uint PAGE = 1000;
    auto all = kj::heapArrayBuilder<MeteredWorkspace>(PAGE);
    for (; entered < RUNNING + RESTING && all.size() < PAGE; entered++) {
      const auto state = entered < RUNNING ? WorkspaceState::RUNNING : WorkspaceState::STOPPED;
      all.add(MeteredWorkspace{idOf(entered), kj::str("w-", idOf(entered)), state, 512, 2048});
    }
    auto page = kj::heapArrayBuilder<MeteredWorkspace>(all.size());
    for (auto& workspace : all) page.add(kj::mv(workspace));
    return page.finish();
  }

private:
  HostMoments moments{kj::systemPreciseCalendarClock()};
  uint64_t looks = 0;
  uint entered = 0;
};

// The same rows by SQLite alone, in one transaction.
double plainRows(SqliteUsage& usage, kj::ArrayPtr<const MeterRow> rows) {
  return milliseconds([&]() {
    UsageChange change;
    for (auto& row : rows) change.meters.add(row.clone());
    usage.commit(change);
  });
}

EventRecord eventOf(uint number) {
  EventRecord event;
  event.timeNanos = (kj::systemPreciseCalendarClock().now() - kj::UNIX_EPOCH) / kj::NANOSECONDS;
  event.workspaceId = idOf(number % RESTING + RUNNING);
  event.workspace = kj::str("w-", event.workspaceId);
  event.before = WorkspaceState::STOPPED;
  event.after = WorkspaceState::STARTING;
  return event;
}

}  // namespace

void measureMetering(kj::Vector<Row>& rows) {
  Directory directory;
  auto io = kj::setupAsyncIo();
  auto& timer = io.provider->getTimer();
  auto store = openSqliteUsageStore(timer, kj::str(directory.path, "/usage.db"));
  SqliteUsage plain(kj::str(directory.path, "/plain.db"));
  FakeEventStore eventStore;
  EventLog events(eventStore);
  ManyMachines host;
  Metering metering(*store, events, host, timer);
  metering.book().wait(io.waitScope);
  auto stored = store->begin().wait(io.waitScope);
  KJ_REQUIRE(stored.polled.size() == RUNNING, stored.polled.size());

  auto& tick = addRow(rows, "metering, a look at 500 machines", "ms");
  for (uint i = 0; i < SAMPLES; i++) {
    tick.floor.add(plainRows(plain, stored.polled));
    tick.samples.add(milliseconds([&]() { metering.book().wait(io.waitScope); }));
  }
  auto& told = addRow(rows, "metering, events booked", "1/s", nullptr, Row::Better::HIGHER);
  for (uint i = 0; i < SAMPLES; i++) {
    uint64_t last = 0;
    for (uint j = 0; j < EVENTS; j++) last = eventStore.add(eventOf(i * EVENTS + j));
    events.reached(last);
    const auto took = milliseconds([&]() { metering.book().wait(io.waitScope); });
    told.samples.add(EVENTS * 1000 / took);
    eventStore.forget();
  }
}

}  // namespace bothy
