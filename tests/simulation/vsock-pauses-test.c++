// The real driver, over a host in memory and in virtual time: vsock devices that do not live long.
#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "simulation/simulated-driver.h"

namespace bothy {
namespace {

class Witness final: public VmDriver::Events {
public:
  void vsockLost(kj::StringPtr) override { lost++; }
  void vsockRestored(kj::StringPtr) override { restored++; }
  void vsockNotRestored(kj::StringPtr) override {}
  void diskFull(kj::StringPtr) override {}
  void diskFreed(kj::StringPtr) override {}
  int lost = 0;
  int restored = 0;
};

// One machine, on a host without faults.
struct World {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  Fate fate{1};
  Trace trace{timer, Trace::Keep::LAST};
  Judge judge;
  SimulatedHost host{timer, fate, trace, judge, Sabotage::NONE};
  Witness witness;
  Lifetime lifetime;
  SimulatedDriver driver{host, lifetime, HostAbilities::Accelerator::KVM,
                         HostAbilities::Vsock::VHOST_USER};
  kj::Own<RunningVm> vm;

  World() {
    fate.calm();
    within(driver.open());
    driver.setEvents(witness);
    host.runtimeDirs.upsert(kj::str("one"), [](kj::String&, kj::String&&) {});
    host.consoles.upsert(kj::str("one"), nullptr);
    VmSpec spec;
    spec.name = kj::str("one");
    spec.cpus = 1;
    spec.memoryBytes = 512ull << 20;
    spec.kernel = kj::str("/k");
    spec.initramfs = kj::str("/i");
    spec.rootImage = kj::str("/r");
    spec.dataDisk = kj::str("/volumes/one");
    spec.diskKey = Secret(32);
    spec.uid = 700001;
    spec.cid = 3;
    spec.secret = kj::heapArray<kj::byte>(32);
    spec.runtimeDir = kj::str("/run/one");
    spec.consoleLog = kj::str("/console/one");
    vm = within(driver.start(kj::mv(spec)));
    pass(5 * kj::SECONDS);
  }
  ~World() noexcept(false) { lifetime.end(); }

  void pass(kj::Duration limit) {
    auto until = timer.now() + limit;
    for (;;) {
      scope.poll();
      auto next = timer.nextEvent();
      if (next == nullptr || KJ_ASSERT_NONNULL(next) > until) break;
      timer.advanceTo(KJ_ASSERT_NONNULL(next));
    }
    timer.advanceTo(until);
    scope.poll();
  }
  template <typename T>
  T within(kj::Promise<T> promise) {
    while (!promise.poll(scope)) {
      timer.advanceTo(KJ_REQUIRE_NONNULL(timer.nextEvent(), "it waits for ever"));
    }
    return promise.wait(scope);
  }
  // How long it takes from the end of a device until another is there.
  kj::Duration replacement() {
    const auto before = witness.restored;
    const auto begin = timer.now();
    host.machinery.loseDevice("one");
    while (witness.restored == before) {
      scope.poll();
      if (witness.restored != before) break;
      timer.advanceTo(KJ_REQUIRE_NONNULL(timer.nextEvent(), "it is not replaced"));
    }
    return timer.now() - begin;
  }
};

// Longest that a replacement takes here besides its pause.
constexpr kj::Duration REPLACEMENT = 1900 * kj::MILLISECONDS;

TEST_CASE("P09 S16 a vsock device that dies again and again is replaced more and more seldom") {
  World w;
  CHECK(w.replacement() < REPLACEMENT);
  auto pause = 1 * kj::SECONDS;
  for (int i = 0; i < 9; i++) {
    w.pass(1 * kj::SECONDS);
    const auto taken = w.replacement();
    INFO(taken / kj::MILLISECONDS << " ms, the pause is " << pause / kj::MILLISECONDS);
    CHECK(taken >= pause);
    CHECK(taken < pause + REPLACEMENT);
    pause = kj::min(pause * 2, 60 * kj::SECONDS);
  }
  CHECK(pause == 60 * kj::SECONDS);

  // One that has served for a minute is replaced at once, and the pauses begin anew.
  w.pass(60 * kj::SECONDS);
  CHECK(w.replacement() < REPLACEMENT);
  w.pass(1 * kj::SECONDS);
  CHECK(w.replacement() < 1 * kj::SECONDS + REPLACEMENT);

  // A guest that ends its device all the time makes some 60 of them in an hour.
  const auto before = w.witness.lost;
  for (auto end = w.timer.now() + 1 * kj::HOURS; w.timer.now() < end;) w.replacement();
  CHECK(w.witness.lost - before <= 70);
}

}  // namespace
}  // namespace bothy
