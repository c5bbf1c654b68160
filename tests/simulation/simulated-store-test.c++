#include "simulation/simulated-store.h"

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <kj/vector.h>
#include <stdlib.h>

#include <catch2/catch_test_macros.hpp>

#include "simulation/faulty-backend.h"
#include "store/group-commit.h"
#include "store/sqlite-store.h"
#include "store/store-contract.h"

namespace bothy {
namespace {

TEST_CASE("the simulated database is a Store as the real one is") {
  kj::EventLoop loop;
  kj::WaitScope scope(loop);
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  Fate fate(1);
  fate.calm();
  Trace trace(timer, Trace::Keep::LAST);
  Judge judge;
  SimulatedHost host(timer, fate, trace, judge, Sabotage::NONE, CONTRACT_LIMITS);
  Lifetime life;
  StoreContract(scope, [&]() {
    return newGroupCommitStore(timer, kj::heap<FaultyBackend>(host, life));
  }).check();
}

constexpr EventLimits LIMITS{.perWorkspace = 12, .age = 365 * kj::DAYS, .total = 1000000};

// Both databases, and all that can be read of each as one text.
struct Pair {
  char directory[32] = "/tmp/bothy-stores-XXXXXX";
  Judge judge;
  SimulatedStore simulated{judge, LIMITS};
  kj::Own<StoreBackend> real;
  uint64_t mark = 0;

  Pair() {
    KJ_ASSERT(mkdtemp(directory) != nullptr);
    real = openSqliteBackend(kj::str(directory, "/state.db"), LIMITS);
    real->begin();
  }
  ~Pair() noexcept(false) {
    real = nullptr;
    kj::newDiskFilesystem()->getRoot().remove(kj::Path::parse(kj::StringPtr(directory).slice(1)));
  }

  template <typename Database>
  static kj::String textOf(const StoredState& state, Database& database, uint64_t after) {
    kj::Vector<kj::String> lines;
    for (auto& row : state.workspaces) {
      lines.add(kj::str(row.id, ' ', row.name, ' ', row.rest, ' ', row.diskMib, ' ',
                        row.nextDiskMib, ' ', row.cpus, ' ', row.memoryMib, ' ', row.tier, ' ',
                        row.failure, ' ', row.setupDone, row.setupFailure, row.labels));
      KJ_IF_MAYBE (content, database.configuration(row.id)) lines.add(kj::str(content->size()));
      for (auto& machine : state.machines) {
        if (machine.workspaceId != row.id) continue;
        lines.add(kj::str(machine.uid, ' ', machine.cid, ' ', machine.secret.size()));
      }
    }
    for (auto& machine : state.machines) {
      lines.add(kj::str(machine.uid, ' ', machine.workspaceId, ' ', machine.releasedNanos));
    }
    for (auto& operation : state.operations) {
      lines.add(kj::str(operation.id, ' ', operation.workspaceId, ' ', operation.kind, ' ',
                        operation.step, ' ', operation.parameters));
    }
    auto page = database.events(after, 7);
    for (auto& event : page.events) {
      lines.add(kj::str(event.number, ' ', event.workspaceId, ' ', event.before, ' ', event.after,
                        ' ', event.gone, ' ', event.cause, ' ', event.detail, ' ', event.count));
    }
    for (auto requestId : {"r0", "r1", "r2"}) {
      KJ_IF_MAYBE (request, database.request(requestId)) {
        lines.add(kj::str(request->requestId, ' ', request->asked, ' ', request->workspaceId));
      }
    }
    lines.add(kj::str(page.through, ' ', state.lastEvent));
    return kj::strArray(lines, "\n");
  }
};

Change randomChange(Fate& fate, uint32_t i) {
  auto id = kj::str("id", fate.below(4));
  WorkspaceRow row;
  row.id = kj::str(id);
  row.name = kj::str("name", id, fate.below(2));
  row.rest = fate.oneIn(2) ? Rest::STOPPED : Rest::FAILED;
  row.diskMib = 64 + i;
  row.nextDiskMib = fate.below(3) * 100;
  row.cpus = fate.below(3);
  row.memoryMib = fate.below(3);
  row.tier = kj::str("tier", fate.below(3));
  row.setupDone = fate.below(3);
  row.setupFailure = kj::str(fate.below(3));
  const uint32_t uid = 7 + fate.below(6);
  MachineRow machine{uid, fate.oneIn(4) ? 8 : uid, kj::str(id)};
  machine.secret = kj::heapArray<kj::byte>(fate.below(3));
  EventRecord event;
  event.workspace = kj::str(row.name);
  event.workspaceId = kj::str(id);
  event.before = static_cast<WorkspaceState>(fate.below(2));
  event.after = static_cast<WorkspaceState>(fate.below(2));
  event.detail = kj::str("detail ", fate.below(3));
  Change change;
  switch (fate.below(6)) {
    case 0:
    case 1:
      change.add(kj::mv(row)).put(kj::mv(machine));
      if (fate.oneIn(2)) {
        change.add(ConfigurationRow{kj::str(id), kj::heapArray<kj::byte>(fate.below(9))});
      }
      if (fate.oneIn(2)) {
        change.add(RequestRecord{kj::str("r", fate.below(3)), kj::str("step ", i), kj::str(id)});
      }
      break;
    case 2:
      event.gone = true;
      change.removeWorkspace(id, i);
      break;
    case 3:
      change.update(kj::mv(row)).put(kj::mv(machine));
      break;
    case 4:
      change.releaseMachine(id, i);
      break;
    default:
      break;
  }
  change.tell(kj::mv(event));
  return change;
}

TEST_CASE("the simulated store keeps and refuses what the real one does") {
  Pair pair;
  Fate fate(1);
  pair.simulated.takeEpoch();
  uint64_t refused = 0;
  // The real one has epochs of its own.
  auto commit = [&](kj::ArrayPtr<const Change> changes) {
    pair.mark++;
    auto one = pair.simulated.commit(pair.simulated.state().epoch, pair.mark, changes);
    auto other = pair.real->commit(pair.mark, changes);
    CHECK(one.lastEvent == other.lastEvent);
    for (auto i : kj::indices(changes)) {
      CHECK((one.refusals[i] == nullptr) == (other.refusals[i] == nullptr));
      refused += one.refusals[i] != nullptr;
    }
  };
  for (uint32_t i = 0; i < 300; i++) {
    kj::Vector<Change> group;
    for (auto count = 1 + fate.below(4); group.size() < count;) group.add(randomChange(fate, i));
    commit(group);
    auto state = pair.real->begin();
    auto after = fate.below(1 + state.lastEvent);
    auto simulated = Pair::textOf(pair.simulated.state(), pair.simulated, after);
    auto real = Pair::textOf(state, *pair.real, after);
    INFO("simulated:\n" << simulated.cStr() << "\nreal:\n" << real.cStr());
    REQUIRE((simulated == real));
  }
  CHECK(refused > 20);
  CHECK(pair.real->begin().lastEvent > LIMITS.perWorkspace);
}

}  // namespace
}  // namespace bothy
