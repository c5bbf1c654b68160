#include "loop/signals.h"

#include <signal.h>

#include "loop/subreaper.h"

namespace bothy {

void captureSignals() {
  Subreaper::prepare();
  kj::UnixEventPort::captureSignal(SIGTERM);
  kj::UnixEventPort::captureSignal(SIGINT);
  signal(SIGPIPE, SIG_IGN);
}

kj::Promise<int> onStopSignal(kj::UnixEventPort& port) {
  auto number = [](siginfo_t&& info) { return info.si_signo; };
  return port.onSignal(SIGTERM).then(number).exclusiveJoin(port.onSignal(SIGINT).then(number));
}

}  // namespace bothy
