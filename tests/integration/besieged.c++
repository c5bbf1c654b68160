#include "besieged.h"

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
constexpr kj::uint TURNS = 12;
constexpr kj::uint TURNS_IN_FULL = 200;
// A p99 that comes about by itself where others run too: two slices of the scheduler.
constexpr kj::Duration LEAST_P99 = 8 * kj::MILLISECONDS;
// The same of CPU time, under sanitizers and on a slow machine.  A turn of what a hostile peer sent takes half of a millisecond.
constexpr kj::Duration LEAST_CPU_P99 = 4 * kj::MILLISECONDS;
// How often the others may have met one side more than the other.
constexpr kj::uint TRIES = 3;
// An echo that takes so long does not come.
constexpr kj::Duration ECHO_LIMIT = 30 * kj::SECONDS;

bool isFull() {
  return getenv("BOTHY_FULL") != nullptr;
}

kj::Duration p99(kj::Vector<kj::Duration> delays) {
  std::sort(delays.begin(), delays.end());
  return delays[delays.size() * 99 / 100];
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

Besieged::Besieged(kj::AsyncIoContext& io, pid_t pid, kj::Function<kj::Promise<void>()> echo)
    : io(io), pid(pid), echo(kj::mv(echo)) {
  // What is taken once and for all.
  for (kj::uint i = 0; i < LEAST_ECHOES; i++) echoOnce();
  before = most = residentBytes(pid);
}

bool Besieged::Taken::isWithinTwice(const Taken& other) const {
  const bool isSoonByClock = time <= 2 * kj::max(other.time, LEAST_P99);
  return cpu <= 2 * kj::max(other.cpu, LEAST_CPU_P99) && (isSoonByClock || !isFull());
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

void Besieged::compare(HostileProcess& attacker) {
  Burner burner;
  kj::Vector<Taken> attacked, beside;
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
  p99Attacked = isKnown ? p99Of(attacked) : Taken();
  p99Beside = isKnown ? p99Of(beside) : Taken();
}

Besieged::Taken Besieged::p99Of(const kj::Vector<Taken>& echoes) {
  kj::Vector<kj::Duration> times, cpu;
  for (auto& echo : echoes) {
    times.add(echo.time);
    cpu.add(echo.cpu);
  }
  return {p99(kj::mv(times)), p99(kj::mv(cpu))};
}

bool Besieged::isInTime() const {
  return p99Attacked.isWithinTwice(p99Beside);
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
  auto text = [](const Taken& taken) {
    return kj::str(taken.time / kj::MICROSECONDS, " us (CPU: ", taken.cpu / kj::MICROSECONDS,
                   " us)");
  };
  return kj::str(growth() / 1024, " KiB, p99 of an echo ", text(p99Attacked),
                 ", beside a busy program ", text(p99Beside));
}

}  // namespace bothy
