#pragma once

#include <kj/debug.h>

#include "simulation/simulated-driver.h"
#include "vm/test-spec.h"

namespace bothy {

constexpr uint32_t FIRST_UID = 700000;
// More than all that the driver waits for, one after the other.
constexpr kj::Duration PATIENCE = 10 * kj::MINUTES;

// What the driver has told.
class Witness final: public VmDriver::Events {
public:
  void vsockLost(kj::StringPtr) override { lost++; }
  void vsockRestored(kj::StringPtr) override { restored++; }
  void vsockNotRestored(kj::StringPtr) override { notRestored++; }
  void diskFull(kj::StringPtr) override { stalled++; }
  void diskFreed(kj::StringPtr) override { freed++; }
  int lost = 0;
  int restored = 0;
  int notRestored = 0;
  int stalled = 0;
  int freed = 0;
};

// One life of bothyd.
struct Life {
  Lifetime lifetime;
  SimulatedDriver driver;

  explicit Life(SimulatedHost& host, HostAbilities::Vsock vsock)
      : driver(host, lifetime, HostAbilities::Accelerator::KVM, vsock) {}
  ~Life() noexcept(false) { lifetime.end(); }
};

// A host without faults but those that a test makes.
struct Bed {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  Fate fate{1};
  Trace trace{timer, Trace::Keep::LAST};
  Judge judge;
  SimulatedHost host{timer, fate, trace, judge, Sabotage::NONE};
  Witness witness;
  HostAbilities::Vsock vsock = HostAbilities::Vsock::VHOST_USER;
  kj::Maybe<kj::Own<Life>> life;

  Bed() { fate.calm(); }
  ~Bed() noexcept(false) { life = nullptr; }

  VmDriver& begin() {
    life = nullptr;
    auto& fresh = *life.emplace(kj::heap<Life>(host, vsock));
    within(fresh.driver.open());
    fresh.driver.setEvents(witness);
    return fresh.driver;
  }
  VmDriver& driver() { return KJ_ASSERT_NONNULL(life)->driver; }
  Lifetime& lifetime() { return KJ_ASSERT_NONNULL(life)->lifetime; }

  VmSpec spec(kj::StringPtr name, uint32_t number = 1) {
    host.runtimeDirs.upsert(kj::str(name), [](kj::String&, kj::String&&) {});
    host.consoles.upsert(kj::str(name), kj::refcounted<SimulatedHost::Console>());
    auto spec = testSpec(name, FIRST_UID + number, 2 + number);
    auto secret = kj::heapArray<kj::byte>(32);
    fate.fill(secret);
    spec.secret = kj::mv(secret);
    return spec;
  }

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
  // Until this life is over, or nothing happens any more.
  void passLife() {
    for (auto until = timer.now() + PATIENCE; timer.now() < until && !lifetime().isOver();) {
      scope.poll();
      auto next = timer.nextEvent();
      if (next == nullptr || lifetime().isOver()) break;
      timer.advanceTo(KJ_ASSERT_NONNULL(next));
    }
  }
  template <typename T>
  T within(kj::Promise<T> promise) {
    auto until = timer.now() + PATIENCE;
    while (!promise.poll(scope)) {
      auto next = KJ_REQUIRE_NONNULL(timer.nextEvent(), "it waits for ever");
      KJ_REQUIRE(next <= until, "it takes too long");
      timer.advanceTo(next);
    }
    return promise.wait(scope);
  }
  kj::Own<RunningVm> start(kj::StringPtr name, uint32_t number = 1) {
    return within(driver().start(spec(name, number)));
  }
  // The agent's port answers.
  bool answers(RunningVm& vm) {
    for (int i = 0; i < 20; i++) {
      try {
        within(timer.timeoutAfter(2 * kj::SECONDS, vm.dial(1)));
        return true;
      } catch (...) {
        pass(1 * kj::SECONDS);
      }
    }
    return false;
  }
  bool runs(kj::StringPtr name) {
    KJ_IF_MAYBE (machine, host.machinery.machine(name)) {
      return machine->phase() == SimulatedMachine::Phase::RUNS;
    }
    return false;
  }
};

}  // namespace bothy
