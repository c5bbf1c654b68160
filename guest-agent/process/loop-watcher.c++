#include "process/loop-watcher.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "process/fuse-connections.h"
#include "process/process-tree.h"

namespace bothy {

namespace {

constexpr uint64_t NANOS_PER_SECOND = 1'000'000'000;

kj::AutoCloseFd openIfThere(kj::StringPtr path, int flags) {
  return kj::AutoCloseFd(open(path.cStr(), flags | O_CLOEXEC));
}

uint64_t monotonicNanos() {
  struct timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * NANOS_PER_SECOND + static_cast<uint64_t>(now.tv_nsec);
}

void sleepFor(kj::Duration duration) {
  const auto nanos = static_cast<uint64_t>(duration / kj::NANOSECONDS);
  struct timespec left = {static_cast<time_t>(nanos / NANOS_PER_SECOND),
                          static_cast<long>(nanos % NANOS_PER_SECOND)};
  clock_nanosleep(CLOCK_MONOTONIC, 0, &left, nullptr);
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
  options.fuseConnections = openFuseConnections();
  KJ_IF_MAYBE (path, groups) {
    options.allPrograms =
        openIfThere(kj::str(*path, '/', PROGRAM_GROUPS, "/cgroup.kill"), O_WRONLY);
    options.reserve = openIfThere(kj::str(*path, '/', RESERVE_GROUPS, "/cgroup.kill"), O_WRONLY);
  }
  options.log = openIfThere("/dev/kmsg", O_WRONLY);
  return options;
}

LoopWatcher::LoopWatcher(LoopTouches& touches, Options optionsParam)
    : touches(touches), options(kj::mv(optionsParam)), thread(startThread([this]() { run(); })) {}

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
      if (loopWaits()) act(now, ++held);
    } else {
      touches.waitForTouch();
      continue;
    }
    sleepFor(options.tick);
  }
}

bool LoopWatcher::loopWaits() const {
  if (options.loopStatus.get() < 0) return true;
  // "1 (bothy-agent) D 0 ...": the name may hold anything, and takes 15 bytes at most.
  char text[64] = {};
  if (pread(options.loopStatus, text, sizeof(text) - 1, 0) <= 0) return true;
  const char* end = strrchr(text, ')');
  return end == nullptr || end[1] == '\0' || end[2] != 'R';
}

void LoopWatcher::act(const LoopTouches::State& touch, uint held) {
  const auto user = touch.user();
  switch (held) {
    case ENDS_PROGRAM:
      if (touch.isAnybodys()) {
        endUnknown(touch);
      } else {
        endProgram(touch);
      }
      break;
    case ABORTS_ALL:
      if (!touch.isAnybodys()) {
        say("what FUSE servers of users do not answer is aborted", user, 0,
            abortFuseConnections(options.fuseConnections, FuseOwner::ANY_USER, user));
      }
      break;
    case ENDS_USER:
      if (!touch.isAnybodys()) {
        say("all programs of the user are ended", user, touches.killGroupsOf(user), 0);
      }
      break;
    case ENDS_ALL:
      endEverything();
      break;
    default:
      break;
  }
}

void LoopWatcher::endProgram(const LoopTouches::State& touch) {
  const auto user = touch.user();
  const auto now = monotonicNanos();
  const bool isRepeated = lastNanos != 0 && lastUser == user &&
                          now - lastNanos < static_cast<uint64_t>(REPEAT_LIMIT / kj::NANOSECONDS);
  lastUser = user;
  lastNanos = now;
  // First, so that who goes on by the second ends.
  const auto groups = isRepeated ? touches.killGroupsOf(user) : touches.killGroupOf(touch);
  const auto connections = abortFuseConnections(options.fuseConnections, FuseOwner::USER, user);
  say(isRepeated ? "all programs of the user, who has done so before, are ended"
                 : "the program is ended, and what FUSE servers of the user do not answer",
      user, groups, connections);
}

void LoopWatcher::endUnknown(const LoopTouches::State& touch) {
  kj::Maybe<uid_t> culprit;
  const auto connections =
      abortFuseConnections(options.fuseConnections, FuseOwner::ANY_USER, 0, [&](uid_t owner) {
        if (!endsSoon(touch)) return true;
        culprit = owner;
        return false;
      });
  KJ_IF_MAYBE (user, culprit) {
    say("all programs of the user, who lists a directory, are ended", *user,
        touches.killGroupsOf(*user), connections);
  } else {
    sayOfUnknown("what FUSE servers of users do not answer is aborted", connections);
  }
}

bool LoopWatcher::endsSoon(const LoopTouches::State& touch) const {
  constexpr auto STEP = 1 * kj::MILLISECONDS;
  for (auto waited = 0 * kj::SECONDS; waited < RELEASE_LIMIT; waited += STEP) {
    if (!(touches.state() == touch)) return true;
    sleepFor(STEP);
  }
  return false;
}

void LoopWatcher::endEverything() {
  for (int fd : {options.allPrograms.get(), options.reserve.get()}) {
    if (fd >= 0 && write(fd, "1", 1) < 0) {
      // The other may be there.
    }
  }
  sayOfUnknown("all programs are ended",
               abortFuseConnections(options.fuseConnections, FuseOwner::ANYBODY, 0));
}

void LoopWatcher::say(const char* what, uid_t user, uint groups, uint connections) const {
  char line[256];
  const int size = snprintf(line, sizeof(line),
                            "<3>bothy: the agent is held up by user %u: %s (%u control groups, %u "
                            "FUSE connections)\n",
                            user, what, groups, connections);
  if (size > 0 && write(options.log, line, static_cast<size_t>(size)) < 0) {
    // Nobody hears it.
  }
}

void LoopWatcher::sayOfUnknown(const char* what, uint connections) const {
  char line[256];
  const int size = snprintf(
      line, sizeof(line), "<3>bothy: the agent is held up by somebody: %s (%u FUSE connections)\n",
      what, connections);
  if (size > 0 && write(options.log, line, static_cast<size_t>(size)) < 0) {
    // Nobody hears it.
  }
}

}  // namespace bothy
