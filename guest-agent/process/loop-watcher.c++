#include "process/loop-watcher.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "process/fuse-connections.h"
#include "process/process-tree.h"
#include "process/watcher-clock.h"

namespace bothy {

namespace {

kj::AutoCloseFd openIfThere(kj::StringPtr path, int flags) {
  return kj::AutoCloseFd(open(path.cStr(), flags | O_CLOEXEC));
}

// The loop gets all signals.
kj::Own<kj::Thread> startThread(kj::Function<void()> run) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  KJ_DEFER(pthread_sigmask(SIG_SETMASK, &before, nullptr));
  return kj::heap<kj::Thread>(kj::mv(run));
}

}  // namespace

LoopWatcher::Options LoopWatcher::optionsOfMachine(kj::Maybe<kj::StringPtr> groups) {
  Options options;
  options.loopStatus = openIfThere(kj::str("/proc/self/task/", gettid(), "/stat"), O_RDONLY);
  options.breaker.fuseConnections = openFuseConnections();
  KJ_IF_MAYBE (path, groups) {
    options.breaker.allPrograms =
        openIfThere(kj::str(*path, '/', PROGRAM_GROUPS, "/cgroup.kill"), O_WRONLY);
    options.breaker.reserve =
        openIfThere(kj::str(*path, '/', RESERVE_GROUPS, "/cgroup.kill"), O_WRONLY);
  }
  options.breaker.log = openIfThere("/dev/kmsg", O_WRONLY);
  return options;
}

LoopWatcher::LoopWatcher(LoopTouches& touches, Options options)
    : touches(touches),
      tick(options.tick),
      loopStatus(kj::mv(options.loopStatus)),
      breaker(touches, kj::mv(options.breaker)),
      thread(startThread([this]() { run(); })) {}

LoopWatcher::~LoopWatcher() noexcept(false) {
  touches.endWatch();
  // Waits for the thread.
  thread = nullptr;
}

void LoopWatcher::run() {
  prctl(PR_SET_NAME, "bothy-watcher");
  LoopTouches::State last;
  uint held = 0;
  while (!touches.isWatchOver()) {
    looked.fetch_add(1);
    const auto now = touches.state();
    if (!(now == last)) {
      last = now;
      held = 0;
    } else if (now.isTouch()) {
      if (loopWaits()) breaker.act(now, ++held);
    } else {
      touches.waitForTouch();
      continue;
    }
    sleepFor(tick);
  }
}

bool LoopWatcher::loopWaits() const {
  if (loopStatus.get() < 0) return true;
  // "1 (bothy-agent) D 0 ...": the name may hold anything, and takes 15 bytes at most.
  char text[64] = {};
  if (pread(loopStatus, text, sizeof(text) - 1, 0) <= 0) return true;
  const char* end = strrchr(text, ')');
  return end == nullptr || end[1] == '\0' || end[2] != 'R';
}

}  // namespace bothy
