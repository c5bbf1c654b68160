#include "bench/supervisor-figures.h"

#include <signal.h>

#include <kj/debug.h>

#include "bench/store-figures.h"
#include "simulation/simulation.h"
#include "store/sqlite-store.h"
#include "support/test-workspace.h"

namespace bothy {
namespace {

constexpr uint ROWS = 10000;
constexpr uint CALLS = 300;
constexpr uint LISTS = 20;
constexpr uint MACHINES = 10;
constexpr uint RESTARTS = 5;
constexpr uint SIMULATIONS = 5;
constexpr uint SEEDS = 100;
constexpr uint32_t MACHINE_MEMORY_MIB = 256;
// Of rows, clear of those that the supervisor gives out.
constexpr uint32_t FIRST_ROW_UID = 1000;

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
  auto changes = kj::heapArrayBuilder<Change>(ROWS);
  for (uint i = 0; i < ROWS; i++) {
    auto number = kj::str(100000 + i);
    WorkspaceRow row;
    row.id = kj::str(kj::repeat('0', 26), number);
    row.name = kj::str("row-", number);
    row.image = kj::str("base");
    row.cpus = 1;
    row.memoryMib = 512;
    row.diskMib = 4096;
    MachineRow machine{kj::str(row.id)};
    machine.uid = machine.cid = FIRST_ROW_UID + i;
    EventRecord event;
    event.workspace = kj::str(row.name);
    event.workspaceId = kj::str(row.id);
    changes.add(kj::mv(Change().add(kj::mv(row)).add(kj::mv(machine)).tell(kj::mv(event))));
  }
  auto outcome = store->commit(1, changes.finish());
  for (auto& refusal : outcome.refusals) KJ_REQUIRE(refusal == nullptr);
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

void measureRows(kj::Vector<Row>& rows) {
  SupervisedHost host;
  auto create = host.supervisor().createRequest();
  create.initSpec().setName("one");
  create.setStart(false);
  host.wait(create.send().dropPipeline(), "a workspace");
  auto& found = addRow(rows, "get, among 10,000 workspaces", "ms");
  for (uint i = 0; i < CALLS; i++) found.floor.add(lookUp(host, "one"));
  host.stop(SIGTERM);
  fillDatabase(kj::str(host.directory(), "/state/bothyd.db"));
  host.start();
  for (uint i = 0; i < CALLS; i++) found.samples.add(lookUp(host, "row-105000"));
  auto& list = addRow(rows, "list, of 10,000 workspaces", "ms");
  for (uint i = 0; i < LISTS; i++) {
    list.samples.add(milliseconds([&]() {
      auto response = host.wait(host.supervisor().listRequest().send().dropPipeline(), "the list");
      KJ_REQUIRE(response.getWorkspaces().size() == ROWS + 1);
    }));
  }
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
  measureStore(rows);
  measureRows(rows);
  measureAdoption(rows);
}

}  // namespace bothy
