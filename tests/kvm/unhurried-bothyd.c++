// bothyd with patience for machines whose host is emulated, and may be on a busy machine.

#include <kj/vector.h>

#include "daemon/daemon.h"

// How many times as long as others it waits for a machine to start or end.
constexpr int PATIENCE = 3;

int main(int argc, char* argv[]) {
  kj::Vector<kj::StringPtr> arguments;
  for (int i = 1; i < argc; i++) arguments.add(argv[i]);
  return bothy::runDaemon(arguments, [](bothy::World world) {
    auto& deadlines = world.deadlines;
    deadlines.agentReadyKvm = deadlines.agentReadyTcg;
    for (auto deadline : {&deadlines.startVm, &deadlines.destroyVm, &deadlines.powerOffMargin}) {
      *deadline *= PATIENCE;
    }
    return world;
  });
}
