#include "simulation/metered-world.h"

#include "metering/test-host.h"
#include "simulation/fate.h"
#include "simulation/metered-truth.h"

namespace bothy {
namespace {

constexpr int STEPS = 120;
constexpr size_t MOST_WORKSPACES = 5;
constexpr uint32_t MOST_MEMORY_MIB = 2048;
constexpr int64_t INTERVAL_MILLIS = METERING_INTERVAL / kj::MILLISECONDS;

using S = WorkspaceState;

class MeteredWorld final {
public:
  explicit MeteredWorld(uint64_t seed)
      : fate(seed), setsClocks(fate.oneIn(2)), losesPower(!setsClocks && fate.oneIn(2)) {}
  KJ_DISALLOW_COPY_AND_MOVE(MeteredWorld);

  kj::Maybe<kj::String> run() {
    for (int i = 0; i < STEPS && violation == nullptr; i++) step();
    rest();
    return kj::mv(violation);
  }

private:
  using Truth = MeteredTruth;

  Fate fate;
  // One or the other: over a boot of the host its clock is all that there is.
  const bool setsClocks, losesPower;
  TestHost host;
  kj::TreeMap<kj::String, Truth> truths;
  kj::Maybe<kj::String> violation;
  uint64_t names = 0;
  // By how much states may be off, because a clock was set.
  int64_t slackMillis = 0;
  int64_t killedMillis = 0;
  int64_t troubledUntilMillis = 0, blindUntilMillis = 0;
  bool isClockSetWhileDead = false;
  bool computes = true;
  uint64_t cursor = 0;
  kj::TreeMap<uint64_t, UsageRecord> bill;
  UnbookedEnds unbooked;

  template <typename... Params>
  void accuse(Params&&... params) {
    if (violation == nullptr) violation = kj::str(kj::fwd<Params>(params)...);
  }
  int64_t now() const { return host.virtualMillis(); }
  Truth& truthOf(const TestHost::Workspace& workspace) {
    return KJ_ASSERT_NONNULL(truths.find(workspace.id));
  }
  static bool isRunning(const TestHost::Workspace& workspace) {
    return workspace.qemu != 0 && StateTruth::of(workspace.state).computes;
  }

  void step() {
    // Whole milliseconds, as meters count.
    int64_t millis = 1 + static_cast<int64_t>(fate.below(12000));
    if (fate.oneIn(80)) millis += static_cast<int64_t>(fate.below(2 * 3600 * 1000));
    if (!host.isAlive() && fate.oneIn(10))
      millis += static_cast<int64_t>(fate.below(40)) * 3600 * 1000;
    pass(millis);
    if (host.isAlive()) {
      examineDurability();
      if (now() >= troubledUntilMillis && now() >= blindUntilMillis) {
        unbooked.forgetBefore(now() - 2 * INTERVAL_MILLIS);
      }
      act();
    } else {
      happen();
    }
  }

  void pass(int64_t millis) {
    // Counters rise within the time, not at its end.
    for (int64_t part : {millis / 2, millis - millis / 2}) {
      host.advance(part * kj::MILLISECONDS);
      for (auto& entry : host.workspaces) {
        auto& workspace = *entry.value;
        if (workspace.isGone) continue;
        auto& truth = truthOf(workspace);
        if (truth.unseenSince != nullptr) continue;
        truth.pass(workspace.state, workspace.memoryMib, workspace.diskMib, part);
        if (!isRunning(workspace) || !computes) continue;
        const auto taken = static_cast<int64_t>(fate.below(part * 1000 + 1));
        workspace.cpuMicros += taken;
        truth.sums.cpuMicros += taken;
      }
    }
  }

  // What runs is booked in the database at least each interval, unless that was refused.
  void examineDurability() {
    for (auto& entry : host.usage.rows) {
      KJ_IF_MAYBE (truth, truths.find(entry.key)) truth->wasSeen = true;
    }
    if (now() < troubledUntilMillis) return;
    for (auto& entry : host.usage.rows) {
      auto& row = entry.value;
      if (!row.isPolled) continue;
      const int64_t behind = now() - host.bootedAtMillis - row.through.bootMillis;
      if (row.through.boot != host.boot || behind > INTERVAL_MILLIS) {
        accuse("the meter of ", row.workspace, " is ", behind, " ms behind");
      }
    }
  }

  void act() {
    switch (fate.below(14)) {
      case 0:
      case 1:
        if (host.workspaces.size() < MOST_WORKSPACES + names / 4) create();
        return;
      case 2:
        host.usage.changesToFail = 1 + static_cast<uint32_t>(fate.below(3));
        host.usage.failedAreIn = fate.oneIn(2);
        troubledUntilMillis = now() + 5 * INTERVAL_MILLIS;
        return;
      case 3:
        host.looksToFail = 1 + static_cast<uint32_t>(fate.below(3));
        blindUntilMillis = now() + 5 * INTERVAL_MILLIS;
        return;
      case 4:
        return setClock();
      case 5:
        return readBill(fate.below(4));
      case 6:
        if (host.usage.changesToFail > 0) return;
        KJ_IF_MAYBE (workspace, any()) host.sumsNow(workspace->id);
        return;
      case 7:
        host.kill();
        unbooked.lose(truths);
        killedMillis = now();
        isClockSetWhileDead = false;
        return;
      default:
        break;
    }
    KJ_IF_MAYBE (workspace, any()) change(*workspace);
  }

  // While no bothyd runs.
  void happen() {
    switch (fate.below(5)) {
      case 0:
        for (auto& entry : host.workspaces) {
          if (entry.value->qemu != 0 && fate.oneIn(2)) endUnseen(*entry.value);
        }
        return;
      case 1:
        return setClock();
      case 2:
        if (!losesPower) return;
        for (auto& entry : host.workspaces) {
          if (entry.value->qemu != 0) endUnseen(*entry.value);
        }
        host.boot++;
        host.bootedAtMillis = now();
        return;
      case 3:
        return recover();
      default:
        return;
    }
  }

  void recover() {
    if (isClockSetWhileDead) slackMillis += now() - killedMillis + 5 * INTERVAL_MILLIS;
    for (auto& entry : host.workspaces) {
      auto& workspace = *entry.value;
      const auto is = StateTruth::of(workspace.state);
      if (workspace.isGone || !is.hasMemory) continue;
      if (workspace.qemu != 0) {
        host.tell(workspace, workspace.state, Cause::ADOPTED);
        continue;
      }
      auto& truth = truthOf(workspace);
      KJ_IF_MAYBE (since, truth.unseenSince) {
        // It counts as stopped from the last look on.
        truth.sums.stoppedMillis += now() - *since;
        truth.sums.diskMibMillis += int64_t{workspace.diskMib} * (now() - *since);
        truth.unseenSince = nullptr;
      }
      host.tell(workspace, S::STOPPED, Cause::RECOVERED);
    }
    troubledUntilMillis = now() + (2 + int64_t{host.usage.changesToFail}) * INTERVAL_MILLIS;
    host.begin();
  }

  kj::Maybe<TestHost::Workspace&> any() {
    size_t count = 0;
    for (auto& entry : host.workspaces) count += entry.value->isGone ? 0 : 1;
    if (count == 0) return nullptr;
    auto chosen = fate.below(count);
    for (auto& entry : host.workspaces) {
      if (entry.value->isGone) continue;
      if (chosen-- == 0) return *entry.value;
    }
    KJ_UNREACHABLE;
  }

  void create() {
    auto name = kj::str("w", 1000 + ++names);
    Truth truth;
    truth.beganMillis = now();
    truths.insert(kj::str("id-", name), kj::mv(truth));
    host.create(name, kj::str("id-", name));
  }

  void change(TestHost::Workspace& workspace) {
    switch (workspace.state) {
      case S::CREATING:
      case S::STOPPED:
      case S::FAILED:
        if (fate.oneIn(5)) {
          host.tell(workspace, S::DELETING, Cause::REQUEST, true);
          truthOf(workspace).endedMillis = now();
          return;
        }
        if (workspace.state == S::CREATING) return host.tell(workspace, S::STOPPED);
        if (fate.oneIn(5)) {
          workspace.memoryMib = (MOST_MEMORY_MIB / 8) << fate.below(4);
          workspace.diskMib += 1024;
          truthOf(workspace).changes++;
          return host.tell(workspace, workspace.state);
        }
        return host.run(workspace);
      case S::RUNNING:
        switch (fate.below(6)) {
          case 0:
            endSeen(workspace);
            return host.stop(workspace);
          case 1:
            endSeen(workspace);
            return host.tell(workspace, S::FAILED, Cause::VM_EXITED);
          case 2:
            endSeen(workspace);
            host.tell(workspace, S::STARTING, Cause::GUEST_REBOOTED);
            workspace.qemu = ++host.lastQemu;
            workspace.cpuMicros = 0;
            return;
          case 3:
            return host.tell(workspace, S::RUNNING, Cause::VSOCK_LOST);
          default:
            host.tell(workspace, S::PAUSING);
            return host.tell(workspace, S::PAUSED);
        }
      case S::STARTING:
        if (workspace.qemu == 0) {
          workspace.qemu = ++host.lastQemu;
          workspace.cpuMicros = 0;
        }
        return host.tell(workspace, S::RUNNING, Cause::GUEST_REBOOTED);
      case S::PAUSED:
        if (fate.oneIn(4)) {
          endSeen(workspace);
          return host.tell(workspace, S::FAILED, Cause::VM_EXITED);
        }
        return host.tell(workspace, S::RESUMING);
      case S::RESUMING:
        return host.tell(workspace, S::RUNNING);
      default:
        KJ_UNREACHABLE;
    }
  }

  // What its counter has that was not read.
  int64_t unreadOf(const TestHost::Workspace& workspace) {
    KJ_IF_MAYBE (row, host.usage.rows.find(workspace.id)) {
      if (row->machine == workspace.qemu) return workspace.cpuMicros - row->machineMicros;
    }
    return workspace.cpuMicros;
  }
  // bothyd is told of it, and loses it if it is killed before it is booked.
  void endSeen(TestHost::Workspace& workspace) {
    unbooked.add(workspace.id, unreadOf(workspace), now());
    host.end(workspace);
  }
  void endUnseen(TestHost::Workspace& workspace) {
    truthOf(workspace).lostCpuMicros += unreadOf(workspace);
    workspace.qemu = 0;
    auto& truth = truthOf(workspace);
    if (!StateTruth::of(workspace.state).hasMemory) return;
    truth.unseenSince = now();
    // From the last look that is stored, or at it; how old that may be examineDurability() holds.
    int64_t looked = host.usage.lastLook().bootMillis;
    KJ_IF_MAYBE (row, host.usage.rows.find(workspace.id)) {
      if (row->isPolled && row->through.boot == host.boot) looked = row->through.bootMillis;
    }
    truth.lostMillis += now() - host.bootedAtMillis - looked;
  }

  void setClock() {
    if (!setsClocks) return;
    constexpr int64_t MOST = 30ll * 3600 * 1000;
    host.aheadMillis += static_cast<int64_t>(fate.below(2 * MOST)) - MOST;
    slackMillis += 5 * INTERVAL_MILLIS;
    isClockSetWhileDead = true;
  }

  // As a billing system does, some pages of it.
  void readBill(uint64_t pages) {
    if (host.usage.changesToFail > 0) return;
    for (uint64_t i = 0; i < pages; i++) {
      auto page =
          KJ_ASSERT_NONNULL(host.metering)->records({cursor, 1 + fate.below(5)}).wait(host.scope);
      for (auto& record : page.records) {
        if (record.number <= cursor) accuse("record ", record.number, " comes after ", cursor);
        cursor = record.number;
        bill.insert(record.number, kj::mv(record));
      }
      if (!page.mayGoOn) break;
    }
  }
  void rest() {
    if (violation != nullptr) return;
    if (!host.isAlive()) recover();
    host.usage.changesToFail = 0;
    host.looksToFail = 0;
    pass(3 * INTERVAL_MILLIS);
    // So that all that was computed is seen.
    computes = false;
    pass(INTERVAL_MILLIS);
    for (auto& entry : host.workspaces) examine(*entry.value);
    readBill(UINT64_MAX);
    for (auto& entry : bill) {
      auto& read = entry.value;
      KJ_IF_MAYBE (there, host.usage.closed.find(entry.key)) {
        const bool isSame = there->sums == read.sums && there->fromMillis == read.fromMillis;
        if (isSame && there->workspaceId == read.workspaceId) continue;
      }
      accuse("record ", entry.key, " has changed after it was read, or is not there");
    }
    if (bill.size() != host.usage.closed.size()) {
      accuse(host.usage.closed.size(), " records are there, and ", bill.size(), " were read");
    }
  }

  void examine(const TestHost::Workspace& workspace) {
    auto& truth = truthOf(workspace);
    const auto sums = workspace.isGone ? host.sumsOf(workspace.id) : host.sumsNow(workspace.id);
    const int64_t life = (workspace.isGone ? truth.endedMillis : now()) - truth.beganMillis;
    if (sums.millis() > life + slackMillis || sums.millis() < life - slackMillis) {
      accuse(workspace.name, " lived for ", life, " ms, and ", sums.millis(), " are booked");
    }
    hold(workspace, "running", sums.runningMillis, truth.sums.runningMillis, truth.lostMillis);
    hold(workspace, "paused", sums.pausedMillis, truth.sums.pausedMillis, truth.lostMillis);
    if (slackMillis == 0) {
      const int64_t rest = sums.stoppedMillis + sums.failedMillis;
      const int64_t was = truth.sums.stoppedMillis + truth.sums.failedMillis;
      if (rest < was || rest > was + truth.lostMillis) {
        accuse(workspace.name, " was at rest for ", was, " ms, and ", rest, " are booked");
      }
      // As large as they are at the first look after they changed, which may come late; of one that was gone before
      // that they are not known.
      const int64_t off = (1 + truth.changes) * 5 * INTERVAL_MILLIS + truth.lostMillis;
      const int64_t disk = sums.diskMibMillis - truth.sums.diskMibMillis;
      if (!truth.wasSeen || (workspace.isGone && truth.changes > 0)) return;
      if (disk > off * workspace.diskMib || -disk > off * workspace.diskMib) {
        accuse(workspace.name, " had a disk of ", truth.sums.diskMibMillis, ", and ",
               sums.diskMibMillis, " is booked");
      }
      const int64_t memory = sums.memoryMibMillis - truth.sums.memoryMibMillis;
      const int64_t mostOff = truth.changes == 0 ? 0 : off * MOST_MEMORY_MIB;
      if (memory > mostOff || -memory > off * MOST_MEMORY_MIB) {
        accuse(workspace.name, " had a memory of ", truth.sums.memoryMibMillis, ", and ",
               sums.memoryMibMillis, " is booked");
      }
    }
    // Of one that was paused while the counters could not be read, they are read when it goes on.
    if (workspace.qemu != 0 && !isRunning(workspace)) truth.lostCpuMicros += unreadOf(workspace);
    if (sums.cpuMicros > truth.sums.cpuMicros ||
        sums.cpuMicros < truth.sums.cpuMicros - truth.lostCpuMicros) {
      accuse(workspace.name, " took ", truth.sums.cpuMicros, " us, of which ", truth.lostCpuMicros,
             " may be lost, and ", sums.cpuMicros, " are booked");
    }
  }
  void hold(const TestHost::Workspace& workspace, kj::StringPtr what, int64_t booked, int64_t was,
            int64_t lost) {
    if (booked <= was + slackMillis && booked >= was - lost - slackMillis) return;
    accuse(workspace.name, " was ", what, " for ", was, " ms, of which ", lost,
           " may be lost, and ", booked, " are booked");
  }
};

}  // namespace

kj::Maybe<kj::String> simulateMetering(uint64_t seed) {
  return MeteredWorld(seed).run();
}

}  // namespace bothy
