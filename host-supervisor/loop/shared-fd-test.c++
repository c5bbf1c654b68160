#include "loop/shared-fd.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <kj/function.h>
#include <kj/time.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include <vector>

#include "loop/testing/lingering-socket.h"

namespace bothy {
namespace {

constexpr kj::Duration PATIENCE = 20 * kj::SECONDS;

constexpr uid_t GREEDY = 1001;
constexpr uid_t MODEST = 1002;

// Of the closes below: how many hang, how many ended, and whether they hang any longer.
struct Closes {
  kj::uint hanging = 0;
  kj::uint ended = 0;
  bool areFree = false;
};
kj::MutexGuarded<Closes> closes;

kj::AutoCloseFd endOfPipe(int& other) {
  int ends[2];
  KJ_SYSCALL(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
  other = ends[0];
  return kj::AutoCloseFd(ends[1]);
}

// A pipe's end hangs, anything else is closed.
void hangAtPipes(kj::AutoCloseFd fd) {
  const bool hangs = fcntl(fd, F_GETPIPE_SZ) > 0;
  if (hangs) {
    auto state = closes.lockExclusive();
    ++state->hanging;
    state.wait([](const Closes& state) { return state.areFree; });
    --state->hanging;
  }
  fd = nullptr;
  ++closes.lockExclusive()->ended;
}

bool comes(kj::Function<bool(const Closes&)> condition) {
  bool came = false;
  closes.lockExclusive().wait([&](const Closes& state) { return came = condition(state); },
                              PATIENCE);
  return came;
}

kj::AutoCloseFd file() {
  int fd;
  KJ_SYSCALL(fd = open("/dev/null", O_RDONLY | O_CLOEXEC));
  return kj::AutoCloseFd(fd);
}

TEST_CASE("S01 closes that hang hold neither their caller nor other owners up, and are bounded") {
  FarCloser closer(hangAtPipes);
  std::vector<kj::AutoCloseFd> others;
  auto hang = [&]() {
    int other;
    auto end = endOfPipe(other);
    others.emplace_back(other);
    closer.close(kj::mv(end), GREEDY);
  };
  hang();
  CHECK(comes([](auto& state) { return state.hanging == 1; }));
  closer.close(file(), GREEDY);
  CHECK(comes([](auto& state) { return state.ended == 1; }));

  constexpr kj::uint MORE = 8;
  for (kj::uint i = 1; i < FarCloser::MAX_THREADS + MORE; i++) hang();
  CHECK(comes([](auto& state) { return state.hanging == FarCloser::MAX_THREADS; }));
  CHECK(closes.getWithoutLock().ended == 1);
  // Of others nothing waits.
  closer.close(file(), MODEST);
  CHECK(comes([](auto& state) { return state.ended == 2; }));
  CHECK_FALSE(closer.isClogged(GREEDY));
  for (size_t i = FarCloser::MAX_THREADS + MORE; i <= FarCloser::MAX_UNCLOSED; i++) hang();
  CHECK(closer.isClogged(GREEDY));
  CHECK_FALSE(closer.isClogged(MODEST));
  CHECK_FALSE(closer.isClogged());
  closes.lockExclusive()->areFree = true;
  CHECK(comes([](auto& state) { return state.ended == 2 + FarCloser::MAX_UNCLOSED + 1; }));
  char byte;
  for (auto& other : others) CHECK(read(other, &byte, 1) == 0);
}

kj::MutexGuarded<std::vector<pid_t>> closers;

void noteThread(kj::AutoCloseFd) {
  closers.lockExclusive()->push_back(gettid());
}

TEST_CASE("descriptors that come one after the other are closed by one thread") {
  FarCloser closer(noteThread);
  constexpr size_t COUNT = 5;
  for (size_t i = 1; i <= COUNT; i++) {
    closer.close(file(), MODEST);
    closers.lockExclusive().wait([i](auto& all) { return all.size() == i; }, PATIENCE);
  }
  auto all = closers.lockExclusive();
  REQUIRE(all->size() == COUNT);
  for (auto thread : *all) CHECK(thread == all->front());
}

TEST_CASE("S01 a socket that lingers is closed without its owner's waiting") {
  auto& clock = kj::systemPreciseMonotonicClock();
  LingeringSocket lingering;
  const auto begin = clock.now();
  {
    SharedFd given(kj::mv(lingering.socket), getuid());
  }
  CHECK(clock.now() - begin < LingeringSocket::LINGER / 2);
}

}  // namespace
}  // namespace bothy
