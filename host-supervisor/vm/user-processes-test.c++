#include "vm/user-processes.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#include <kj/async-io.h>
#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "loop/child-process.h"
#include "loop/signals.h"
#include "loop/user-kill.h"
#include "support/few-files.h"

namespace bothy {
namespace {

constexpr uint32_t USER = 965920;
constexpr uint32_t NEIGHBOUR = 965921;
constexpr uint32_t SENDER = 965922;

struct Fixture {
  Fixture() : io((captureSignals(), kj::setupAsyncIo())), reaper(io.unixEventPort) {}

  kj::Own<ChildProcess> sleeper(uint32_t user) {
    return ChildProcess::spawn(
        io.unixEventPort, reaper,
        ChildSpec{"/bin/sleep", kj::arr(kj::str("1000")), ChildSpec::Owner{user, user}, nullptr,
                  ChildSpec::Lifetime::OWNED});
  }
  UserProcesses processes() { return UserProcesses(io.unixEventPort, USER, SENDER); }
  void kill() {
    auto all = processes();
    io.provider->getTimer().timeoutAfter(60 * kj::SECONDS, all.kill()).wait(io.waitScope);
  }

  kj::AsyncIoContext io;
  Subreaper reaper;
};

#define NEEDS_ROOT() \
  if (getuid() != 0) SKIP("processes run as users of their own")

// Processes of USER's, each of which lives for no longer than it takes to fork the next: whoever finds its pid comes too late.
class Comets final {
public:
  Comets() {
    void* memory =
        mmap(nullptr, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    KJ_REQUIRE(memory != MAP_FAILED);
    shared = new (memory) Shared();
  }
  ~Comets() noexcept(false) {
    killAllOf(USER, SENDER);
    munmap(shared, sizeof(*shared));
  }
  KJ_DISALLOW_COPY_AND_MOVE(Comets);

  // SAFETY: system calls alone in the children of a process with threads.
  void startOne() {
    const uint64_t before = shared->begun;
    pid_t child;
    KJ_SYSCALL(child = fork());
    if (child > 0) {
      // One that is not the user's yet would rightly be spared.
      while (shared->begun == before) usleep(1000);
      return;
    }
    setsid();
    if (syscall(SYS_setresuid, USER, USER, USER) < 0) abort();
    ++shared->begun;
    while (syscall(SYS_fork) == 0) ++shared->generations;
    _exit(0);
  }
  uint64_t count() const { return shared->generations; }

private:
  struct Shared {
    std::atomic<uint64_t> generations = 0, begun = 0;
  };
  Shared* shared;
};

TEST_CASE("P29 S20 the processes of a machine's user are killed, and those of others are not") {
  NEEDS_ROOT();
  Fixture f;
  auto one = f.sleeper(USER), two = f.sleeper(USER), neighbours = f.sleeper(NEIGHBOUR);
  f.kill();
  CHECK(one->process().hasExited());
  CHECK(two->process().hasExited());
  CHECK_FALSE(neighbours->process().hasExited());
  f.kill();
}

TEST_CASE("P29 S20 a machine's process that forks all the time does not escape its end") {
  NEEDS_ROOT();
  Fixture f;
  auto neighbours = f.sleeper(NEIGHBOUR);
  Comets comets;
  auto& timer = f.io.provider->getTimer();
  // A look alone catches them now and then.
  for (int round = 0; round < 5; round++) {
    auto before = comets.count();
    for (int i = 0; i < 8; i++) comets.startOne();
    while (comets.count() < before + 100) {
      const auto seen = comets.count();
      timer.afterDelay(10 * kj::MILLISECONDS).wait(f.io.waitScope);
      // On a busy host a fork fails now and then, and with it all that would have come of it.
      if (comets.count() == seen) comets.startOne();
    }
    f.kill();
    auto after = comets.count();
    timer.afterDelay(100 * kj::MILLISECONDS).wait(f.io.waitScope);
    CHECK(comets.count() == after);
  }
  CHECK_FALSE(neighbours->process().hasExited());
}

TEST_CASE(
    "S01 the processes of others are not looked at where those of a machine's user have ended") {
  NEEDS_ROOT();
  Fixture f;
  auto one = f.sleeper(USER);
  auto reaped = one->onExit();
  // The pidfds are waited for with what is open already: a look at /proc would want a descriptor.
  {
    FewFiles none(0);
    f.kill();
    f.kill();
    CHECK_FALSE(f.processes().isAnyRunning("/bin/sleep"));
  }
  CHECK(one->process().hasExited());
}

}  // namespace
}  // namespace bothy
