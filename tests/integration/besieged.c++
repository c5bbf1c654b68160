#include "besieged.h"

#include <kj/debug.h>
#include <kj/vector.h>
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
// Of one turn, beside the attacker or beside the busy program: what else the host does meanwhile meets both.
constexpr kj::uint ECHOES_OF_A_TURN = 20;
// What the attacker sent before it was stopped is read first.
constexpr kj::uint ECHOES_BETWEEN_TURNS = 3;
// Of fewer there is no hundredth.
constexpr size_t LEAST_ECHOES_OF_P99 = 100;
constexpr kj::uint TURNS = 12;
constexpr kj::uint TURNS_IN_FULL = 200;
// A p99 that comes about by itself where others run too: two slices of the scheduler.
constexpr kj::Duration LEAST_P99 = 8 * kj::MILLISECONDS;
// How often the others may have met one side more than the other.
constexpr kj::uint TRIES = 3;
// An echo that takes so long does not come.
constexpr kj::Duration ECHO_LIMIT = 30 * kj::SECONDS;

bool isFull() {
  return getenv("BOTHY_FULL") != nullptr;
}

kj::Duration p99(kj::Vector<kj::Duration>& delays) {
  std::sort(delays.begin(), delays.end());
  return delays[delays.size() * 99 / 100];
}

// A program that takes what it gets of the CPU.
class Burner final {
public:
  Burner() {
    char shell[] = "/bin/sh", option[] = "-c", script[] = "while :; do :; done";
    char* const words[] = {shell, option, script, nullptr};
    KJ_ASSERT(::posix_spawn(&pid, shell, nullptr, nullptr, words, environ) == 0);
    pause();
  }
  ~Burner() noexcept(false) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  KJ_DISALLOW_COPY_AND_MOVE(Burner);

  void pause() { ::kill(pid, SIGSTOP); }
  void goOn() { ::kill(pid, SIGCONT); }

private:
  pid_t pid;
};

}  // namespace

Besieged::Besieged(kj::AsyncIoContext& io, pid_t pid, kj::Function<kj::Promise<void>()> echo)
    : io(io), pid(pid), echo(kj::mv(echo)) {
  // What is taken once and for all.
  for (kj::uint i = 0; i < LEAST_ECHOES; i++) echoOnce();
  before = most = residentBytes(pid);
}

kj::Duration Besieged::echoOnce() {
  auto& clock = kj::systemPreciseMonotonicClock();
  auto began = clock.now();
  io.provider->getTimer().timeoutAfter(ECHO_LIMIT, echo()).wait(io.waitScope);
  auto took = clock.now() - began;
  if (before > 0) most = kj::max(most, residentBytes(pid));
  return took;
}

void Besieged::compare(HostileProcess& attacker) {
  Burner burner;
  kj::Vector<kj::Duration> attacked, beside;
  const auto turns = isFull() ? TURNS_IN_FULL : TURNS;
  for (kj::uint turn = 0; turn < turns && !attacker.hasEnded(); turn++) {
    for (kj::uint i = 0; i < ECHOES_OF_A_TURN; i++) attacked.add(echoOnce());
    attacker.pause();
    burner.goOn();
    for (kj::uint i = 0; i < ECHOES_BETWEEN_TURNS; i++) echoOnce();
    for (kj::uint i = 0; i < ECHOES_OF_A_TURN; i++) beside.add(echoOnce());
    burner.pause();
    attacker.goOn();
  }
  // One that was thrown out before so many keeps nobody waiting.
  const bool isKnown = attacked.size() >= LEAST_ECHOES_OF_P99;
  p99Attacked = isKnown ? p99(attacked) : 0 * kj::NANOSECONDS;
  p99Beside = isKnown ? kj::max(p99(beside), LEAST_P99) : LEAST_P99;
}

void Besieged::outlast(HostileProcess& attacker) {
  for (kj::uint i = 0; i < TRIES; i++) {
    compare(attacker);
    // What one did that has ended is not tried again, and so not forgotten.
    if (isInTime() || attacker.hasEnded()) break;
  }
  for (kj::uint i = 0; i < LEAST_ECHOES; i++) echoOnce();
}

kj::String Besieged::figures() const {
  return kj::str(growth() / 1024, " KiB, p99 of an echo ", p99Attacked / kj::MICROSECONDS,
                 " us, beside a busy program ", p99Beside / kj::MICROSECONDS, " us");
}

}  // namespace bothy
