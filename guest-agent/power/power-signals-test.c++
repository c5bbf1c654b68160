#include "power/power-signals.h"

#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/vector.h>
#include <signal.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "power/shutdown-schedule.h"

namespace bothy {
namespace {

kj::StringPtr meaningOf(int signal) {
  KJ_IF_MAYBE (order, powerOrderOf(signal)) {
    return order->ending == Ending::REBOOT ? "reboot"_kj : "off"_kj;
  }
  return "nothing"_kj;
}

TEST_CASE("P45 a signal to PID 1 means what it means to systemd and to busybox") {
  CHECK(meaningOf(SIGRTMIN + 3) == "off");
  CHECK(meaningOf(SIGRTMIN + 4) == "off");
  CHECK(meaningOf(SIGRTMIN + 5) == "reboot");
  CHECK(meaningOf(SIGINT) == "reboot");
  CHECK(meaningOf(SIGUSR1) == "off");
  CHECK(meaningOf(SIGUSR2) == "off");
  CHECK(meaningOf(SIGTERM) == "reboot");
  for (int number : {SIGHUP, SIGCHLD, SIGPIPE, SIGALRM, SIGWINCH, SIGRTMIN, SIGRTMIN + 6}) {
    CAPTURE(number);
    CHECK(meaningOf(number) == "nothing");
  }
  // The kernel's commands in Debian's scripts and the image's: a change would be noticed by nobody else.
  CHECK(SIGRTMIN + 4 == 38);
}

TEST_CASE("an order at once has no grace, others have one") {
  CHECK(KJ_ASSERT_NONNULL(powerOrderOf(SIGRTMIN + 15)).grace == 0 * kj::SECONDS);
  CHECK(KJ_ASSERT_NONNULL(powerOrderOf(SIGRTMIN + 14)).grace == 0 * kj::SECONDS);
  CHECK(KJ_ASSERT_NONNULL(powerOrderOf(SIGRTMIN + 5)).grace == GUEST_GRACE);
}

TEST_CASE("P45 an order that came before anybody listened is obeyed, and so is the next") {
  sigset_t before;
  KJ_SYSCALL(sigprocmask(SIG_SETMASK, nullptr, &before));
  PowerSignals::capture();
  KJ_DEFER(sigprocmask(SIG_SETMASK, &before, nullptr));
  KJ_SYSCALL(kill(getpid(), SIGRTMIN + 5));
  KJ_SYSCALL(kill(getpid(), SIGHUP));

  auto io = kj::setupAsyncIo();
  kj::Vector<PowerOrder> orders;
  kj::uint rereads = 0;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> changed;
  PowerSignals signals(
      io.unixEventPort,
      [&](PowerOrder order) {
        orders.add(order);
        KJ_IF_MAYBE (waiting, changed) {
          (*waiting)->fulfill();
        }
      },
      [&]() { rereads++; });
  CHECK(orders.size() == 0);
  io.waitScope.poll();
  REQUIRE(orders.size() == 1);
  CHECK(orders[0].ending == Ending::REBOOT);
  CHECK(rereads == 1);

  auto paf = kj::newPromiseAndFulfiller<void>();
  changed = kj::mv(paf.fulfiller);
  KJ_SYSCALL(kill(getpid(), SIGUSR2));
  paf.promise.wait(io.waitScope);
  REQUIRE(orders.size() == 2);
  CHECK(orders[1].ending == Ending::POWER_OFF);
}

}  // namespace
}  // namespace bothy
