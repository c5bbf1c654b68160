// bothyd that dies where a test wants it to: see CrashPoint.

#include <kj/vector.h>

#include "crash/crashing-world.h"
#include "daemon/daemon.h"

int main(int argc, char* argv[]) {
  kj::Vector<kj::StringPtr> arguments;
  for (int i = 1; i < argc; i++) arguments.add(argv[i]);
  kj::Maybe<kj::Own<bothy::CrashingWorld>> crashing;
  return bothy::runDaemon(arguments, [&](bothy::World world) {
    return crashing.emplace(kj::heap<bothy::CrashingWorld>(world))->get();
  });
}
