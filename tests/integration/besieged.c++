#include "besieged.h"

#include <kj/debug.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "support/host-memory.h"

namespace bothy {
namespace {

constexpr kj::uint LEAST_ECHOES = 20;
// An echo that takes so long does not come.
constexpr kj::Duration ECHO_LIMIT = 30 * kj::SECONDS;

bool isFull() {
  return getenv("BOTHY_FULL") != nullptr;
}

kj::Duration duration() {
  return isFull() ? 4 * kj::SECONDS : 200 * kj::MILLISECONDS;
}

kj::String percentiles(kj::Vector<kj::Duration>& delays) {
  std::sort(delays.begin(), delays.end());
  auto at = [&](size_t percent) {
    return delays[kj::min(delays.size() * percent / 100, delays.size() - 1)] / kj::MICROSECONDS;
  };
  return kj::str(delays.size(), " echoes, p50 ", at(50), " us, p99 ", at(99), " us, at most ",
                 at(100), " us");
}

}  // namespace

Besieged::Besieged(kj::AsyncIoContext& io, pid_t pid, kj::Function<kj::Promise<void>()> echo)
    : io(io), pid(pid), echo(kj::mv(echo)) {
  // What is taken once and for all.
  for (kj::uint i = 0; i < LEAST_ECHOES; i++) echoOnce();
  before = most = residentBytes(pid);
  delays.clear();
}

void Besieged::echoOnce() {
  auto& clock = kj::systemPreciseMonotonicClock();
  auto began = clock.now();
  io.provider->getTimer().timeoutAfter(ECHO_LIMIT, echo()).wait(io.waitScope);
  delays.add(clock.now() - began);
  if (before > 0) most = kj::max(most, residentBytes(pid));
}

void Besieged::echoFor(kj::Duration duration, kj::Function<bool()> isOver) {
  auto& clock = kj::systemPreciseMonotonicClock();
  auto end = clock.now() + duration;
  for (kj::uint i = 0; i < LEAST_ECHOES || (clock.now() < end && !isOver()); i++) echoOnce();
}

void Besieged::outlast(HostileProcess& attacker) {
  echoFor(duration(), [&]() { return attacker.hasEnded(); });
  for (kj::uint i = 0; i < LEAST_ECHOES; i++) echoOnce();
}

kj::String Besieged::figures() {
  auto attacked = kj::str(growth() / 1024, " KiB, ", percentiles(delays));
  delays.clear();
  char shell[] = "/bin/sh", option[] = "-c", script[] = "while :; do :; done";
  char* const words[] = {shell, option, script, nullptr};
  pid_t burner;
  KJ_ASSERT(::posix_spawn(&burner, shell, nullptr, nullptr, words, environ) == 0);
  KJ_DEFER({
    ::kill(burner, SIGKILL);
    ::waitpid(burner, nullptr, 0);
  });
  echoFor(duration(), []() { return false; });
  return kj::str(attacked, "; beside a busy program: ", percentiles(delays));
}

}  // namespace bothy
