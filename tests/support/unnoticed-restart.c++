#include "support/unnoticed-restart.h"

#include <kj/debug.h>

#include <stdlib.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/host-program.h"

namespace bothy {
namespace {

// bothyd's to a machine: its control lane, and the one that it keeps ready.
constexpr size_t OWN_CONNECTIONS = 2;

}  // namespace

std::set<std::string> awaitConnections(TestWorkspace& workspace, size_t lanes) {
  auto& host = workspace.host;
  const auto deadline = host.now() + SupervisedHost::LIMIT;
  for (;;) {
    auto found = workspace.connections();
    if (found.size() == lanes + OWN_CONNECTIONS) return found;
    KJ_REQUIRE(host.now() < deadline, "other connections than expected", found.size(), lanes);
  }
}

void restartUnnoticed(TestWorkspace& workspace, int signal, size_t lanes,
                      kj::Function<void()> whileAway) {
  auto& host = workspace.host;
  const auto before = awaitConnections(workspace, lanes);
  host.stop(signal);
  whileAway();
  host.start();
  // Complete before anything else is answered.
  auto list = host.wait(host.supervisor().listRequest().send().dropPipeline(), "the list");
  KJ_REQUIRE(list.getWorkspaces().size() == 1);
  KJ_REQUIRE(list.getWorkspaces()[0].getState() == rpc::WorkspaceState::RUNNING);
  std::vector<std::string> kept;
  const auto deadline = host.now() + SupervisedHost::LIMIT;
  do {
    const auto after = workspace.connections();
    kept.clear();
    std::set_intersection(before.begin(), before.end(), after.begin(), after.end(),
                          std::back_inserter(kept));
    KJ_REQUIRE(kept.size() >= lanes, "a lane was lost", kept.size(), lanes);
    KJ_REQUIRE(host.now() < deadline, "bothyd's connections of before are still there", kept.size(),
               lanes);
  } while (kept.size() > lanes);
}

size_t lanesBegun(SupervisedHost& host) {
  auto count = hostOutput(
      {"/bin/sh"_kj, "-c"_kj, kj::str("grep -c ' a lane begins;' ", host.log(), " || :")});
  return strtoul(count.cStr(), nullptr, 10);
}

}  // namespace bothy
