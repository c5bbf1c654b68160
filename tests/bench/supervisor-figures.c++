#include "bench/supervisor-figures.h"

#include <signal.h>

#include <kj/debug.h>

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

void fillDatabase(kj::StringPtr path) {
  auto store = openSqliteBackend(path, {});
  store->begin();
  kj::Vector<Change> changes;
  uint64_t mark = 0;
  for (uint i = 0; i < ROWS; i++) {
    auto number = kj::str(100000 + i);
    WorkspaceRow row;
    row.id = kj::str(kj::repeat('0', 26), number);
    row.name = kj::str("row-", number);
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
  fillDatabase(kj::str(host.directory(), "/state/bothyd.db"));
  host.start();
  auto& found = addRow(rows, "get, among 100,000 workspaces", "ms", 1);
  for (uint i = 0; i < CALLS; i++) found.samples.add(lookUp(host, "row-105000"));
  auto& list = addRow(rows, "list of 100, among 100,000 workspaces", "ms", 3);
  for (uint i = 0; i < LISTS; i++) list.samples.add(listPage(host));
  auto& served = addRow(rows, "kill -9 to served, 100,000 workspaces", "ms", 1500);
  for (uint i = 0; i < ROW_RESTARTS; i++) served.samples.add(restartAmong(host, "row-105000"));
  auto& memory = addRow(rows, "memory of a stopped workspace", "bytes", 400);
  memory.samples.add((residentBytes(host.pid()) - before) / double(ROWS));
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
  measureRows(rows);
  measureAdoption(rows);
}

}  // namespace bothy
