#include "process/hold-breaker.h"

#include <stdio.h>
#include <unistd.h>

#include "process/fuse-connections.h"
#include "process/watcher-clock.h"

namespace bothy {

namespace {

constexpr uid_t ROOT = 0;

void writeLine(int log, const char* line, int size, size_t capacity) {
  if (size <= 0) return;
  if (write(log, line, kj::min(static_cast<size_t>(size), capacity - 1)) < 0) {
    // Nobody hears it.
  }
}

}  // namespace

HoldBreaker::HoldBreaker(LoopTouches& touches, Options optionsParam)
    : touches(touches), options(kj::mv(optionsParam)) {}

void HoldBreaker::act(const LoopTouches::State& touch, uint ticks) {
  if (ticks < ENDS_PROGRAM_TICKS) return;
  if (ticks >= ENDS_ALL_TICKS) return endEverything(ticks == ENDS_ALL_TICKS);

  constexpr auto OTHERS = "what FUSE servers of users do not answer is aborted";
  if (touch.isAnybodys()) {
    const auto connections = abortOneByOne(touch);
    if (connections > 0 || ticks == ENDS_PROGRAM_TICKS) sayOfUnknown(OTHERS, connections);
    return;
  }
  const auto user = touch.user();
  if (ticks == ENDS_PROGRAM_TICKS) return endProgram(touch);
  if (ticks == ENDS_USER_TICKS && user != ROOT) {
    say("all programs of the user are ended", user, endAllOf(user), 0);
  }
  if (ticks < ABORTS_ALL_TICKS) {
    abortOf(user);
  } else {
    const auto connections = abortOneByOne(touch);
    if (connections > 0 || ticks == ABORTS_ALL_TICKS) say(OTHERS, user, 0, connections);
  }
}

// And remembers that he did.
bool HoldBreaker::isRepeated(uid_t user) {
  constexpr auto LIMIT_NANOS = static_cast<uint64_t>(REPEAT_LIMIT / kj::NANOSECONDS);
  const auto now = monotonicNanos();
  auto* place = &holders[0];
  for (auto& holder : holders) {
    if (holder.nanos != 0 && holder.user == user) {
      place = &holder;
      break;
    }
    if (holder.nanos < place->nanos) place = &holder;
  }
  const bool result = place->nanos != 0 && place->user == user && now - place->nanos < LIMIT_NANOS;
  *place = {user, now};
  return result;
}

uint HoldBreaker::endAllOf(uid_t user) {
  touches.refuseStarts(user);
  return touches.killGroupsOf(user);
}

void HoldBreaker::endProgram(const LoopTouches::State& touch) {
  const auto user = touch.user();
  // Root's are not ended for what one of them did: somebody else may be within it (su).
  const bool endsAll = user != ROOT && isRepeated(user);
  // Before the kill, which waits for a directory that another of the user's programs may hold; and after it, since who goes on by the first
  // begins again.
  const auto before = abortOf(user);
  const auto groups = endsAll ? endAllOf(user) : touches.killGroupOf(touch);
  // Those that are aborted count for a while as such on which somebody waits.
  const auto connections = kj::max(before, abortOf(user));
  const char* what = "all programs of the user, who has done so before, are ended";
  if (!endsAll) {
    what = groups > 0 ? "the program is ended, and what FUSE servers of the user do not answer"
                      : "what FUSE servers of the user do not answer is aborted";
  }
  say(what, user, groups, connections);
}

void HoldBreaker::endEverything(bool isFirst) {
  auto abortAll = [this]() {
    return abortFuseConnections(options.fuseConnections, [](uid_t) { return true; });
  };
  const auto before = abortAll();
  for (int fd : {options.allPrograms.get(), options.reserve.get()}) {
    if (fd >= 0 && write(fd, "1", 1) < 0) {
      // The other may be there.
    }
  }
  const auto connections = kj::max(before, abortAll());
  if (isFirst) sayOfUnknown("all programs are ended", connections);
}

// Root's are not aborted for what a program of root's is at.
uint HoldBreaker::abortOf(uid_t user) {
  if (user == ROOT) return 0;
  return abortFuseConnections(options.fuseConnections, [&](uid_t owner) { return owner == user; });
}

uint HoldBreaker::abortOneByOne(const LoopTouches::State& touch) {
  uid_t owners[MAX_OWNERS];
  size_t count = 0;
  // First of such as have no programs here: numbers that are no user's own, but somebody else's.
  uint result = abortFuseConnections(options.fuseConnections, [&](uid_t owner) {
    if (owner == ROOT) return false;
    if (!touches.hasGroupOf(owner)) return true;
    for (size_t i = 0; i < count; i++) {
      if (owners[i] == owner) return false;
    }
    if (count < MAX_OWNERS) owners[count++] = owner;
    return false;
  });
  if (result > 0 && endsSoon(touch)) return result;
  constexpr auto LIMIT_NANOS = static_cast<uint64_t>(PASS_LIMIT / kj::NANOSECONDS);
  const auto began = monotonicNanos();
  for (size_t i = 0; i < count; i++) {
    const auto aborted = abortOf(owners[i]);
    result += aborted;
    if (aborted > 0 && monotonicNanos() - began < LIMIT_NANOS && endsSoon(touch)) break;
  }
  return result;
}

bool HoldBreaker::endsSoon(const LoopTouches::State& touch) const {
  constexpr auto STEP = 1 * kj::MILLISECONDS;
  const auto limit = static_cast<uint64_t>(options.releaseLimit / kj::NANOSECONDS);
  for (const auto began = monotonicNanos(); monotonicNanos() - began < limit; sleepFor(STEP)) {
    if (!(touches.state() == touch)) return true;
  }
  return !(touches.state() == touch);
}

void HoldBreaker::say(const char* what, uid_t user, uint groups, uint connections) const {
  char line[256];
  const int size = snprintf(line, sizeof(line),
                            "<3>bothy: the agent is held up by user %u: %s (%u control groups, %u "
                            "FUSE connections)\n",
                            user, what, groups, connections);
  writeLine(options.log, line, size, sizeof(line));
}

void HoldBreaker::sayOfUnknown(const char* what, uint connections) const {
  char line[256];
  const int size = snprintf(
      line, sizeof(line), "<3>bothy: the agent is held up by somebody: %s (%u FUSE connections)\n",
      what, connections);
  writeLine(options.log, line, size, sizeof(line));
}

}  // namespace bothy
