#include "crash/crash-point.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <kj/debug.h>

#include <fstream>

namespace bothy {

CrashPoint::CrashPoint() {
  const char* name = getenv("BOTHY_CRASH_FILE");
  KJ_REQUIRE(name != nullptr, "BOTHY_CRASH_FILE is not set");
  file = kj::str(name);
}

void CrashPoint::step(kj::StringPtr effect, kj::StringPtr where) {
  if (left == 0) {
    std::ifstream order(file.cStr());
    if (!(order >> left)) {
      left = 0;
      return;
    }
    unlink(file.cStr());
  }
  if (--left > 0) return;
  std::ofstream(kj::str(file, ".step").cStr()) << effect.cStr() << " " << where.cStr();
  kill(getpid(), SIGKILL);
}

}  // namespace bothy
