#include "bench/supervisor-figures.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <kj/debug.h>

#include <vector>

#include "keys/disk-key-files.h"
#include "keys/key-tree.h"
#include "keys/local-keyring.h"
#include "keys/protector-setting.h"
#include "keys/protector.h"
#include "simulation/simulation.h"
#include "store/sqlite-store.h"
#include "support/host-memory.h"
#include "support/test-workspace.h"

namespace bothy {
namespace {

constexpr uint ROWS = 100000;
constexpr uint ROWS_OF_A_COMMIT = 10000;
constexpr uint ROW_RESTARTS = 3;
constexpr uint PAGE = 100;
constexpr uint CALLS = 300;
constexpr uint LISTS = 20;
constexpr uint MACHINES = 10;
constexpr uint RESTARTS = 5;
constexpr uint SIMULATIONS = 5;
constexpr uint SEEDS = 100;
constexpr uint32_t MACHINE_MEMORY_MIB = 256;
constexpr size_t CROWD = 2000;
constexpr size_t BURST = 100;

// How fast the logic alone is, with all its faults.
void measureSimulation(kj::Vector<Row>& rows) {
  auto& row = addRow(rows, "simulated client operations", "1/s", nullptr, Row::Better::HIGHER);
  uint64_t seed = 1;
  for (uint i = 0; i < SIMULATIONS; i++) {
    uint64_t operations = 0;
    auto took = milliseconds([&]() {
      for (auto end = seed + SEEDS; seed < end; seed++) {
        auto result = simulate(seed);
        KJ_REQUIRE(result.violation == nullptr, report(seed, result));
        operations += result.tally.operations;
      }
    });
    row.samples.add(operations * 1000 / took);
  }
}

// In the simulation's libvirt, which starts as many at a time as the driver lets it.
void measureBurst(kj::Vector<Row>& rows) {
  auto& row = addRow(rows, "100 starts at once, simulated libvirt", "ms");
  for (uint i = 0; i < SIMULATIONS; i++) {
    row.samples.add(milliseconds([&]() {
      auto result = simulate(1 + i, {.crowd = CROWD, .burst = BURST, .isCalm = true});
      KJ_REQUIRE(result.violation == nullptr, report(1 + i, result));
      KJ_REQUIRE(result.tally.started > 0 && result.tally.notStarted == 0, result.tally.started,
                 result.tally.notStarted);
    }));
  }
}

kj::String rowId(uint i) {
  return kj::str(kj::repeat('0', 26), 100000 + i);
}

// What a bothyd finds of each workspace when it starts, beside its row.
void fillDirectories(kj::StringPtr state) {
  auto make = [&](kj::StringPtr path) {
    int fd;
    KJ_SYSCALL(fd = open(path.cStr(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600), path);
    close(fd);
  };
  std::vector<KeyChange> keys;
  keys.reserve(ROWS);
  for (uint i = 0; i < ROWS; i++) {
    auto id = rowId(i);
    make(kj::str(state, "/volumes/", id, ".qcow2"));
    make(kj::str(state, "/consoles/", id, ".log"));
    keys.push_back({KeyChange::Kind::CREATE, kj::mv(id), nullptr});
  }
  auto pointers = KJ_MAP(key, keys) {
    return &key;
  };
  openKeyTree(kj::heap<DiskKeyFiles>(kj::str(state, "/keys")), Protector(defaultProtector(state)))
      ->apply(pointers);
}

void fillDatabase(kj::StringPtr path) {
  auto store = openSqliteBackend(path, {});
  store->begin();
  kj::Vector<Change> changes;
  uint64_t mark = 0;
  for (uint i = 0; i < ROWS; i++) {
    WorkspaceRow row;
    row.id = rowId(i);
    row.name = kj::str("row-", 100000 + i);
    row.image = kj::str("base");
    row.cpus = 1;
    row.memoryMib = 512;
    row.diskMib = 4096;
    EventRecord event;
    event.workspace = kj::str(row.name);
    event.workspaceId = kj::str(row.id);
    changes.add(kj::mv(Change().add(kj::mv(row)).tell(kj::mv(event))));
    if (changes.size() < ROWS_OF_A_COMMIT && i + 1 < ROWS) continue;
    auto outcome = store->commit(++mark, changes);
    for (auto& refusal : outcome.refusals) KJ_REQUIRE(refusal == nullptr);
    changes.clear();
  }
}

double lookUp(SupervisedHost& host, kj::StringPtr name) {
  return milliseconds([&]() {
    auto request = host.supervisor().getRequest();
    request.setName(name);
    auto response = host.wait(request.send().dropPipeline(), "the workspace");
    KJ_REQUIRE(response.getOutcome().isFound());
  });
}

double restart(SupervisedHost& host, uint workspaces) {
  host.stop(SIGKILL);
  return milliseconds([&]() {
    host.start();
    auto response = host.wait(host.supervisor().listRequest().send().dropPipeline(), "the list");
    KJ_REQUIRE(response.getWorkspaces().size() == workspaces);
    for (auto workspace : response.getWorkspaces()) {
      KJ_REQUIRE(workspace.getState() == rpc::WorkspaceState::RUNNING);
    }
  });
}

// Until it answers about one of them.
double restartAmong(SupervisedHost& host, kj::StringPtr name) {
  host.stop(SIGKILL);
  return milliseconds([&]() {
    host.start();
    lookUp(host, name);
  });
}

double listPage(SupervisedHost& host) {
  return milliseconds([&]() {
    auto request = host.supervisor().listRequest();
    request.setAfter("row-150000");
    request.setLimit(PAGE);
    auto response = host.wait(request.send().dropPipeline(), "a page");
    KJ_REQUIRE(response.getWorkspaces().size() == PAGE);
  });
}

void measureRows(kj::Vector<Row>& rows) {
  SupervisedHost host;
  auto create = host.supervisor().createRequest();
  create.initSpec().setName("one");
  create.setStart(false);
  host.wait(create.send().dropPipeline(), "a workspace");
  auto& alone = addRow(rows, "get, of one workspace", "ms");
  for (uint i = 0; i < CALLS; i++) alone.samples.add(lookUp(host, "one"));
  const auto before = residentBytes(host.pid());
  host.stop(SIGTERM);
  auto state = kj::str(host.directory(), "/state");
  auto takenByEach = [&]() { return (double(residentBytes(host.pid())) - double(before)) / ROWS; };
  fillDatabase(kj::str(state, "/bothyd.db"));
  // 300 bytes, and the index by name and id.
  auto& memory = addRow(rows, "memory of a stopped workspace", "bytes", 400);
  host.start();
  lookUp(host, "row-105000");
  memory.samples.add(takenByEach());
  host.stop(SIGKILL);
  fillDirectories(state);
  host.start();
  auto& found = addRow(rows, "get, among 100,000 workspaces", "ms", 1);
  found.goalOf = 0.99;
  for (uint i = 0; i < CALLS; i++) found.samples.add(lookUp(host, "row-105000"));
  auto& list = addRow(rows, "list of 100, among 100,000 workspaces", "ms", 3);
  for (uint i = 0; i < LISTS; i++) list.samples.add(listPage(host));
  auto& served = addRow(rows, "kill -9 to served, 100,000 workspaces", "ms", 1500);
  for (uint i = 0; i < ROW_RESTARTS; i++) served.samples.add(restartAmong(host, "row-105000"));
  auto& memoryWithKey = addRow(rows, "memory of a stopped workspace and its key", "bytes");
  memoryWithKey.samples.add(takenByEach());
  // What ends the host would delete them one by one.
  host.stop(SIGKILL);
}

void measureAdoption(kj::Vector<Row>& rows) {
  SupervisedHost host;
  host.wait(host.supervisor().listRequest().send().dropPipeline(), "the list");
  auto& empty = addRow(rows, "kill -9 to served, no machine", "ms");
  for (uint i = 0; i < RESTARTS; i++) empty.samples.add(restart(host, 0));
  kj::Vector<kj::Own<TestWorkspace>> workspaces;
  for (uint i = 0; i < MACHINES; i++) {
    auto name = kj::str("machine-", i);
    workspaces.add(kj::heap<TestWorkspace>(
        host, TestWorkspace::Options{.name = name, .memoryMib = MACHINE_MEMORY_MIB}));
  }
  auto& adopted = addRow(rows, "kill -9 to adopted, 10 machines", "ms", 1000);
  for (uint i = 0; i < RESTARTS; i++) adopted.samples.add(restart(host, MACHINES));
}

}  // namespace

void measureSupervisor(kj::Vector<Row>& rows) {
  measureSimulation(rows);
  measureBurst(rows);
  measureRows(rows);
  measureAdoption(rows);
}

}  // namespace bothy
