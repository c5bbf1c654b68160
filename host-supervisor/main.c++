#include <kj/vector.h>

#include "daemon/daemon.h"

int main(int argc, char* argv[]) {
  kj::Vector<kj::StringPtr> arguments;
  for (int i = 1; i < argc; i++) arguments.add(argv[i]);
  return bothy::runDaemon(arguments, [](bothy::World world) { return world; });
}
