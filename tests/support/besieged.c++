#include "support/besieged.h"

#include <kj/debug.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
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
static_assert(Besieged::LEAST_TURNS * ECHOES_OF_A_TURN >= LEAST_ECHOES_OF_P99);
constexpr kj::uint TURNS = 12;
constexpr kj::uint TURNS_IN_FULL = 200;
// A p99 that comes about by itself where others run too: two slices of the scheduler.
constexpr kj::Duration LEAST_P99 = 8 * kj::MILLISECONDS;
// The same of CPU time, under sanitizers and on a slow machine.  A turn of what a hostile peer sent takes half of a millisecond.
constexpr kj::Duration LEAST_CPU_P99 = 4 * kj::MILLISECONDS;
// Of the median, in which few echoes count for nothing: an echo alone takes more.
constexpr kj::Duration LEAST_CPU_MEDIAN = 1 * kj::MILLISECONDS;
constexpr kj::uint MEDIAN_PERCENT = 50;
// Of the longest of few: its process may have begun cold, and was seen to take 51 ms once on a host whose disk was busy.
constexpr kj::Duration LEAST_CPU_BRIEF = 50 * kj::MILLISECONDS;
// An echo that takes so long does not come.
constexpr kj::Duration ECHO_LIMIT = 30 * kj::SECONDS;

bool isFull() {
  return getenv("BOTHY_FULL") != nullptr;
}

kj::Duration percentileOf(kj::Vector<kj::Duration> delays, kj::uint percentile) {
  std::sort(delays.begin(), delays.end());
  return delays[kj::min(delays.size() * percentile / 100, delays.size() - 1)];
}

// What a process has had of the CPU, with all its threads.
kj::Duration cpuOf(pid_t pid) {
  clockid_t clock;
  int error = ::clock_getcpuclockid(pid, &clock);
  KJ_REQUIRE(error == 0, "the process has no clock", pid, strerror(error));
  struct timespec time;
  KJ_SYSCALL(::clock_gettime(clock, &time), pid);
  return time.tv_sec * kj::SECONDS + time.tv_nsec * kj::NANOSECONDS;
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

Besieged::Besieged(kj::AsyncIoContext& io, pid_t pid, kj::Function<kj::Promise<void>()> echo,
                   Effort effort)
    : io(io), pid(pid), echo(kj::mv(echo)), effort(effort) {
  KJ_REQUIRE(effort.turns >= LEAST_TURNS);
  // What is taken once and for all.
  for (kj::uint i = 0; i < LEAST_ECHOES; i++) echoOnce();
  before = most = residentBytes(pid);
}

kj::uint Besieged::usualTurns() {
  return isFull() ? TURNS_IN_FULL : TURNS;
}

kj::uint Besieged::cpuPercentile() const {
  return isBrief ? 100 : effort.percentile;
}

Besieged::Taken Besieged::echoOnce() {
  auto& clock = kj::systemPreciseMonotonicClock();
  auto began = clock.now();
  auto cpuBefore = cpuOf(pid);
  io.provider->getTimer().timeoutAfter(ECHO_LIMIT, echo()).wait(io.waitScope);
  Taken took{clock.now() - began, cpuOf(pid) - cpuBefore};
  if (before > 0) most = kj::max(most, residentBytes(pid));
  return took;
}

void Besieged::compare(Attacker& attacker) {
  Burner burner;
  kj::Vector<Taken> underAttack, besideOther;
  // One turn in any case: the attack may be over with its first message, and that meets one echo.
  for (kj::uint turn = 0; turn == 0 || (turn < effort.turns && !attacker.hasEnded()); turn++) {
    for (kj::uint i = 0; i < ECHOES_OF_A_TURN; i++) underAttack.add(echoOnce());
    attacker.pause();
    burner.goOn();
    for (kj::uint i = 0; i < ECHOES_BETWEEN_TURNS; i++) echoOnce();
    for (kj::uint i = 0; i < ECHOES_OF_A_TURN; i++) besideOther.add(echoOnce());
    burner.pause();
    attacker.goOn();
  }
  // Of an attacker that was thrown out before, the echo that met it: the one that took longest.
  isBrief = underAttack.size() < LEAST_ECHOES_OF_P99;
  attacked = oneThatCounts(underAttack);
  beside = oneThatCounts(besideOther);
}

Besieged::Taken Besieged::oneThatCounts(const kj::Vector<Taken>& echoes) const {
  kj::Vector<kj::Duration> times, cpu;
  for (auto& echo : echoes) {
    times.add(echo.time);
    cpu.add(echo.cpu);
  }
  return {percentileOf(kj::mv(times), 99), percentileOf(kj::mv(cpu), cpuPercentile())};
}

bool Besieged::isInTime() const {
  const auto leastCpu = isBrief                             ? LEAST_CPU_BRIEF
                        : cpuPercentile() <= MEDIAN_PERCENT ? LEAST_CPU_MEDIAN
                                                            : LEAST_CPU_P99;
  if (attacked.cpu > 2 * kj::max(beside.cpu, leastCpu)) return false;
  // One echo says nothing by the clock.
  return isBrief || !isFull() || attacked.time <= 2 * kj::max(beside.time, LEAST_P99);
}

void Besieged::outlast(Attacker& attacker) {
  for (kj::uint i = 0; i < effort.tries; i++) {
    compare(attacker);
    // What one did that has ended is not tried again, and so not forgotten.
    if (isInTime() || attacker.hasEnded()) break;
  }
  for (kj::uint i = 0; i < LEAST_ECHOES; i++) echoOnce();
}

kj::String Besieged::figures() const {
  auto text = [](const Taken& taken) {
    return kj::str(taken.time / kj::MICROSECONDS, " us (CPU: ", taken.cpu / kj::MICROSECONDS,
                   " us)");
  };
  return kj::str(growth() / 1024, " KiB, an echo takes ", text(attacked),
                 ", beside a busy program ", text(beside));
}

}  // namespace bothy
