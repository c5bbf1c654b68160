#pragma once

#include <kj/debug.h>
#include <kj/map.h>

#include "metering/metering.h"
#include "support/fake-event-store.h"
#include "support/fake-usage-store.h"

namespace bothy {

// A host whose workspaces, machines and clocks are a test's.  Dropping `metering` is kill -9.
class TestHost final: public MeteredHost {
public:
  struct Workspace {
    kj::String id;
    kj::String name;
    WorkspaceState state = WorkspaceState::CREATING;
    uint32_t memoryMib = 512;
    uint32_t diskMib = 2048;
    // Its machine's; 0: it has none.
    uint64_t qemu = 0;
    int64_t cpuMicros = 0;
    bool isGone = false;
    bool isUnreachable = false;
    kj::String user = nullptr;
  };

  // 2026-03-01 10:00 UTC.
  static constexpr int64_t BEGIN_MILLIS = 1'772'359'200'000;

  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  FakeEventStore eventStore;
  FakeUsageStore usage;
  kj::Own<EventLog> events;
  kj::Maybe<kj::Own<Metering>> metering;
  kj::Promise<void> running = nullptr;

  kj::TreeMap<kj::String, kj::Own<Workspace>> workspaces;
  int64_t boot = 1;
  int64_t bootedAtMillis = -1000;  // by the timer
  int64_t aheadMillis = 0;         // the host's clock of what it should say
  uint64_t lastQemu = 0;
  uint32_t looksToFail = 0;
  // Machines that have ended, of which no look has told.
  kj::Vector<VmConsumption> ended;
  uint64_t looks = 0;

  explicit TestHost(bool isRun = true) : isRun(isRun) { begin(); }
  ~TestHost() noexcept(false) { kill(); }
  KJ_DISALLOW_COPY_AND_MOVE(TestHost);

  void begin() {
    events = kj::heap<EventLog>(eventStore);
    events->reached(lastEvent);
    auto& fresh = *metering.emplace(kj::heap<Metering>(usage, *events, *this, timer));
    if (isRun) running = fresh.run().eagerlyEvaluate(nullptr);
    scope.poll();
  }
  void kill() {
    running = nullptr;
    metering = nullptr;
    events = nullptr;
    ended.clear();
  }
  bool isAlive() const { return metering != nullptr; }

  int64_t virtualMillis() const {
    return (timer.now() - kj::origin<kj::TimePoint>()) / kj::MILLISECONDS;
  }
  int64_t wallMillis() const { return BEGIN_MILLIS + virtualMillis() + aheadMillis; }
  Moment now() override { return {boot, virtualMillis() - bootedAtMillis, wallMillis()}; }

  // In steps, so that what is due within it is done when it is.
  void advance(kj::Duration duration) {
    const auto until = timer.now() + duration;
    scope.poll();
    while (timer.now() < until) {
      auto next = timer.nextEvent().orDefault(until);
      timer.advanceTo(kj::max(timer.now(), kj::min(next, until)));
      scope.poll();
    }
    scope.poll();
  }
  // The same, by a clock that all machines' processors use.
  void compute(int64_t micros) {
    for (auto& entry : workspaces) {
      if (entry.value->qemu != 0) entry.value->cpuMicros += micros;
    }
  }

  Workspace& workspace(kj::StringPtr name) {
    for (auto& entry : workspaces) {
      if (entry.value->name == name && !entry.value->isGone) return *entry.value;
    }
    KJ_FAIL_REQUIRE("no such workspace", name);
  }
  Workspace& create(kj::StringPtr name, kj::StringPtr id) {
    auto& workspace = *workspaces.insert(kj::str(id), kj::heap<Workspace>()).value;
    workspace.id = kj::str(id);
    workspace.name = kj::str(name);
    tell(workspace, WorkspaceState::CREATING);
    return workspace;
  }
  // What happens, and is not stored yet.
  EventRecord happen(Workspace& workspace, WorkspaceState after, Cause cause = Cause::REQUEST,
                     bool isGone = false) {
    EventRecord event;
    event.timeNanos = wallMillis() * 1'000'000;
    event.workspace = kj::str(workspace.name);
    event.workspaceId = kj::str(workspace.id);
    event.before = workspace.state;
    event.after = after;
    event.cause = cause;
    event.gone = isGone;
    workspace.state = after;
    workspace.isGone = isGone;
    return event;
  }
  void tell(EventRecord event) {
    lastEvent = eventStore.add(kj::mv(event));
    if (isAlive()) events->reached(lastEvent);
  }
  void tell(Workspace& workspace, WorkspaceState after, Cause cause = Cause::REQUEST,
            bool isGone = false) {
    tell(happen(workspace, after, cause, isGone));
  }
  void run(Workspace& workspace) {
    tell(workspace, WorkspaceState::STARTING);
    workspace.qemu = ++lastQemu;
    workspace.cpuMicros = 0;
    tell(workspace, WorkspaceState::RUNNING);
  }
  // Its machine's.
  void end(Workspace& workspace) {
    if (workspace.qemu != 0 && isAlive()) ended.add(consumptionOf(workspace));
    workspace.qemu = 0;
  }
  void stop(Workspace& workspace) {
    tell(workspace, WorkspaceState::STOPPING);
    end(workspace);
    tell(workspace, WorkspaceState::STOPPED);
  }

  kj::Promise<kj::Array<VmConsumption>> consumption() override {
    ++looks;
    if (looksToFail > 0) {
      --looksToFail;
      return KJ_EXCEPTION(OVERLOADED, "libvirt does not answer");
    }
    auto found = kj::mv(ended);
    for (auto& entry : workspaces) {
      auto& workspace = *entry.value;
      if (workspace.qemu == 0 || workspace.isGone || workspace.isUnreachable) continue;
      found.add(consumptionOf(workspace));
    }
    return found.releaseAsArray();
  }
  kj::Maybe<MeteredWorkspace> find(kj::StringPtr id) override {
    KJ_IF_MAYBE (workspace, workspaces.find(id)) {
      if (!(*workspace)->isGone) return meteredOf(**workspace);
    }
    return nullptr;
  }
  kj::Array<MeteredWorkspace> page(kj::StringPtr after) override {
    constexpr size_t PAGE = 3;
    kj::Vector<MeteredWorkspace> found;
    // Ids and names have the same order here.
    for (auto& entry : workspaces) {
      if (found.size() == PAGE) break;
      if (!entry.value->isGone && entry.value->name > after) found.add(meteredOf(*entry.value));
    }
    return found.releaseAsArray();
  }

  // All that was booked of one: what is closed, and what is open.
  UsageSums sumsOf(kj::StringPtr id) {
    UsageSums sums;
    for (auto& entry : usage.closed) {
      if (entry.value.workspaceId == id) sums.add(entry.value.sums);
    }
    KJ_IF_MAYBE (row, usage.rows.find(id)) sums.add(row->open);
    return sums;
  }
  // Up to now.
  UsageSums sumsNow(kj::StringPtr id) {
    auto& present = *KJ_ASSERT_NONNULL(metering);
    UsageSums sums;
    // First what is closed, which closes what is past: nothing happens between.
    UsageQuery query;
    query.workspace = kj::str(id);
    for (auto& record : present.records(kj::mv(query)).wait(scope).records) sums.add(record.sums);
    auto open = present.open(nullptr, 100, kj::str(id)).wait(scope);
    for (auto& record : open.records) sums.add(record.sums);
    return sums;
  }

private:
  const bool isRun;
  uint64_t lastEvent = 0;

  static VmConsumption consumptionOf(const Workspace& workspace) {
    return {kj::str(workspace.id), workspace.qemu,
            static_cast<uint64_t>(workspace.cpuMicros) * 1000};
  }
  static MeteredWorkspace meteredOf(const Workspace& workspace) {
    return {kj::str(workspace.id), kj::str(workspace.name), workspace.state,
            workspace.memoryMib,   workspace.diskMib,       kj::str(workspace.user)};
  }
};

}  // namespace bothy
