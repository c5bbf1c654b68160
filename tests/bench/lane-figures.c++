#include "bench/lane-figures.h"

#include <kj/debug.h>

#include "lane/lane-descriptor.h"
#include "lane/lane.h"

namespace bothy {
namespace {

constexpr uint CLIENTS = 100;
constexpr uint IDLE_LANES = 20;
constexpr uint COLD_STARTS = 20;
// Clients come one after the other: by then bothyd has dialled the next connection, which it does later than 50 ms.
constexpr kj::Duration CLIENT_PAUSE = 200 * kj::MILLISECONDS;
constexpr double KIBIBYTE = 1024;

// A client with lanes of its own.
struct Client {
  TestWorkspace& workspace;
  kj::Own<RpcConnection> connection;
  kj::Vector<kj::Own<Lane>> lanes;

  explicit Client(TestWorkspace& workspace)
      : workspace(workspace), connection(workspace.host.connect()) {}

  Lane& open(kj::Function<void(rpc::LaneRequest::Builder)> want) {
    auto& host = workspace.host;
    auto request = connection->bootstrap().castAs<rpc::Supervisor>().connectRequest();
    request.setName(workspace.name);
    want(request.initWanted());
    auto response = host.wait(request.send(), "a lane");
    KJ_REQUIRE(response.getOutcome().isConnected(), response.getOutcome());
    auto stream = host.wait(streamOf(response.getLane(), host.io.unixEventPort), "its stream");
    return *lanes.add(kj::heap<Lane>(kj::mv(stream), host.timer));
  }
};

void callOn(TestWorkspace& workspace, rpc::Files::Client files) {
  auto request = files.statRequest();
  request.setPath("/"_kj.asBytes());
  workspace.host.wait(request.send().dropPipeline().ignoreResult(), "the call");
}

// From nothing to the answer of a first call, over a call on a lane that stands.
void measureFirstCalls(kj::Vector<Row>& rows, TestWorkspace& workspace) {
  auto& row = addRow(rows, "first call of a new client", "ms", 1.4);
  auto files = workspace.files();
  for (uint i = 0; i < CLIENTS; i++) {
    row.floor.add(milliseconds([&]() { callOn(workspace, files); }));
    kj::Maybe<kj::Own<Client>> client;
    row.samples.add(milliseconds([&]() {
      auto& made = *client.emplace(kj::heap<Client>(workspace));
      auto& lane =
          made.open([](auto wanted) { wanted.initFiles().setAccess(rpc::FileAccess::READ); });
      callOn(workspace, lane.bootstrap().castAs<rpc::Files>());
    }));
    client = nullptr;
    workspace.host.timer.afterDelay(CLIENT_PAUSE).wait(workspace.host.scope);
  }
}

// A lane for files and a call where its user has no file worker, over the same where he has one.
void measureColdWorkers(kj::Vector<Row>& rows, TestWorkspace& workspace) {
  auto& row = addRow(rows, "first call of a new file worker", "ms");
  for (uint i = 0; i < COLD_STARTS; i++) {
    workspace.shell(
        "pkill -9 -x bothy-files; for i in $(seq 1000); do pgrep -x bothy-files > /dev/null || "
        "exit 0; "
        "sleep 0.01; done; exit 1",
        "root");
    Client client(workspace);
    for (auto* into : {&row.samples, &row.floor}) {
      workspace.host.timer.afterDelay(CLIENT_PAUSE).wait(workspace.host.scope);
      into->add(milliseconds([&]() {
        auto& lane =
            client.open([](auto wanted) { wanted.initFiles().setAccess(rpc::FileAccess::READ); });
        callOn(workspace, lane.bootstrap().castAs<rpc::Files>());
      }));
    }
  }
  // Its lanes for files are lost.
  workspace.reconnect();
}

void measureAgentMemory(kj::Vector<Row>& rows, TestWorkspace& workspace) {
  auto& row = addRow(rows, "agent memory, an idle lane", "KiB", 32);
  auto memory = [&]() { return workspace.health().getAgentMemoryBytes() / KIBIBYTE; };
  memory();
  double before = memory();
  // No more than a session may have.
  Client clients[] = {Client(workspace), Client(workspace)};
  for (uint i = 0; i < IDLE_LANES; i++) {
    auto& lane = clients[i % 2].open([](auto wanted) { wanted.setCommands(); });
    auto agent = lane.bootstrap().castAs<rpc::Agent>();
    workspace.host.wait(agent.processesRequest().send().ignoreResult(), "a call");
  }
  row.samples.add((memory() - before) / IDLE_LANES);
}

}  // namespace

void measureLanes(kj::Vector<Row>& rows, TestWorkspace& workspace) {
  measureFirstCalls(rows, workspace);
  measureColdWorkers(rows, workspace);
  measureAgentMemory(rows, workspace);
}

}  // namespace bothy
