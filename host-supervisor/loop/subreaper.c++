#include "loop/subreaper.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <kj/debug.h>

namespace bothy {

void Subreaper::prepare() {
  kj::UnixEventPort::captureSignal(SIGCHLD);
}

Subreaper::Subreaper(kj::UnixEventPort& port)
    : port(port), loop(reapForever().eagerlyEvaluate([](kj::Exception&& e) { KJ_LOG(FATAL, e); })) {
  KJ_SYSCALL(prctl(PR_SET_CHILD_SUBREAPER, 1));
}

Subreaper::~Subreaper() noexcept(false) {
  prctl(PR_SET_CHILD_SUBREAPER, 0);
}

kj::Promise<int> Subreaper::onExit(pid_t child) {
  auto paf = kj::newPromiseAndFulfiller<int>();
  expected.upsert(child, kj::mv(paf.fulfiller),
                  [](auto& existing, auto&& replacement) { existing = kj::mv(replacement); });
  return kj::mv(paf.promise);
}

kj::Promise<void> Subreaper::reapForever() {
  for (;;) {
    reap();
    co_await port.onSignal(SIGCHLD);
  }
}

void Subreaper::reap() {
  for (;;) {
    int status;
    // The kernel gives orphans to the subreaper's thread group leader; __WNOTHREAD leaves what other
    // threads forked to them.
    pid_t pid = waitpid(-1, &status, WNOHANG | __WNOTHREAD);
    if (pid <= 0) return;
    KJ_IF_MAYBE (fulfiller, expected.find(pid)) {
      (*fulfiller)->fulfill(kj::mv(status));
      expected.erase(pid);
    }
  }
}

}  // namespace bothy
