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

void CrashPoint::begins(kj::StringPtr effect) {
  if (!isSameMoment) step(effect, "begins");
  isSameMoment = false;
}

void CrashPoint::isDone(kj::StringPtr effect) {
  step(effect, "is done");
  isSameMoment = true;
  // Detached, since the loop ends before this does.
  kj::evalLast([this, number = ++done]() {
    if (number == done) isSameMoment = false;
  }).detach([](kj::Exception&&) {});
}

void CrashPoint::step(kj::StringPtr effect, kj::StringPtr where) {
  if (left == 0) {
    std::ifstream order(file.cStr());
    if (!(order >> left)) {
      left = 0;
      return;
    }
    only.clear();
    std::getline(order >> std::ws, only);
    unlink(file.cStr());
  }
  if (only != "" && only != where.cStr()) return;
  if (--left > 0) return;
  std::ofstream(kj::str(file, ".step").cStr()) << effect.cStr() << " " << where.cStr();
  kill(getpid(), SIGKILL);
}

}  // namespace bothy
