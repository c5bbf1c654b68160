#include "machine/boot-wait.h"

#include <string.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "machine/test-slot.h"

namespace bothy {
namespace {

constexpr kj::Duration LIMIT = 30 * kj::SECONDS;

// A machine that boots, and the wait for its agent.
struct BootWorld: public SlotWorld {
  StartFault fault = StartFault::OTHER;
  kj::String console;
  kj::Maybe<BootWait> boot;

  kj::Promise<kj::String> wait() {
    auto& fresh = boot.emplace(MachineWorld{driver, randomness, timer, deadlines}, *slot, "demo",
                               LIMIT, fault, [this]() { return kj::str(console); });
    auto answer = fresh.agent();
    settle();
    return answer;
  }
  // What the wait fails with.
  kj::String failure(kj::Promise<kj::String> waiting) {
    auto told = waiting.then([](kj::String&&) { return kj::str("it answered"); },
                             [](kj::Exception&& e) { return kj::str(e.getDescription()); });
    return told.wait(scope);
  }
};

TEST_CASE("P28 the wait for an agent ends with the version that it says it has") {
  BootWorld w;
  SECTION("it says one") {
    w.agentVersion = kj::str("1.2.3");
    CHECK(w.wait().wait(w.scope) == "1.2.3");
  }
  SECTION("it says none") {
    CHECK(w.wait().wait(w.scope) == "");
  }
  SECTION("it answers late") {
    w.agentVersion = kj::str("1.2.3");
    w.agentAnswers = false;
    w.console = kj::str("Linux");
    auto waiting = w.wait();
    w.advance(LIMIT - 5 * kj::SECONDS);
    w.settle();
    w.agentAnswers = true;
    w.advance(4 * kj::SECONDS);
    CHECK(waiting.wait(w.scope) == "1.2.3");
  }
}

TEST_CASE("P12 an agent that does not answer has a cause") {
  BootWorld w;
  w.agentAnswers = false;
  SECTION("nothing comes from the kernel") {
    auto waiting = w.wait();
    CHECK(w.fault == StartFault::NO_HELLO);
    w.advance(LIMIT / 2 - 1 * kj::SECONDS);
    CHECK_FALSE(waiting.poll(w.scope));
    w.advance(1 * kj::SECONDS);
    CHECK(w.failure(kj::mv(waiting)).startsWith("nothing came from the machine's kernel"));
    CHECK(w.fault == StartFault::KERNEL_SILENT);
  }
  SECTION("the kernel says something, and the agent nothing") {
    w.console = kj::str("Linux");
    auto waiting = w.wait();
    w.advance(LIMIT / 2);
    CHECK_FALSE(waiting.poll(w.scope));
    w.advance(LIMIT / 2);
    CHECK(w.failure(kj::mv(waiting)) == "the machine's agent did not answer within 30 s");
    CHECK(w.fault == StartFault::NO_HELLO);
  }
  SECTION("what the kernel said before it was taken over is not known") {
    w.driver.isConsoleKnown = false;
    auto waiting = w.wait();
    w.advance(LIMIT / 2);
    CHECK_FALSE(waiting.poll(w.scope));
    w.advance(LIMIT / 2);
    CHECK(w.failure(kj::mv(waiting)) == "the machine's agent did not answer within 30 s");
    CHECK(w.fault == StartFault::NO_HELLO);
  }
  SECTION("the kernel panics") {
    w.console = kj::str("Kernel panic - not syncing: No working init found.");
    auto waiting = w.wait();
    w.driver.end("id", VmEnd::CRASHED);
    CHECK(w.failure(kj::mv(waiting)).size() > 0);
    CHECK(w.fault == StartFault::NO_INIT);
  }
  SECTION("the host's disk is full") {
    w.console = kj::str("Linux");
    auto waiting = w.wait();
    w.driver.stall("id");
    w.advance(LIMIT);
    CHECK(strstr(w.failure(kj::mv(waiting)).cStr(), "disk is full") != nullptr);
    CHECK(w.fault == StartFault::DISK);
  }
}

TEST_CASE("P41 a machine that could not be taken over is, before its agent is waited for") {
  BootWorld w;
  w.slot = w.newSlot();
  w.driver.failAdoptions(KJ_EXCEPTION(FAILED, "libvirt does not answer"));
  SECTION("in time") {
    w.agentVersion = kj::str("1.2.3");
    auto waiting = w.wait();
    w.advance(1 * kj::SECONDS);
    CHECK_FALSE(waiting.poll(w.scope));
    w.driver.allowAdoptions();
    w.advance(2 * kj::SECONDS);
    CHECK(waiting.wait(w.scope) == "1.2.3");
  }
  SECTION("never") {
    auto waiting = w.wait();
    for (auto passed = 0 * kj::SECONDS; passed < 2 * LIMIT; passed += 1 * kj::SECONDS) {
      w.advance(1 * kj::SECONDS);
      w.settle();
    }
    CHECK(w.failure(kj::mv(waiting)) == "libvirt does not answer");
    CHECK(w.fault == StartFault::VMM_EXITED);
    CHECK(w.driver.isRunning("id"));
  }
}

}  // namespace
}  // namespace bothy
