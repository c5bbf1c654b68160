// The real driver, over a host in memory and in virtual time.
#include <signal.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "simulation/driver-bed.h"

namespace bothy {
namespace {

using Program = SimulatedMachinery::Program;

TEST_CASE("P28 the real driver starts and ends a machine in virtual time, and leaves nothing") {
  Bed bed;
  bed.vsock = GENERATE_COPY(HostAbilities::Vsock::VHOST_USER, HostAbilities::Vsock::KERNEL);
  bed.begin();
  auto vm = bed.start("one");
  CHECK(bed.runs("one"));
  CHECK(bed.answers(*vm));
  CHECK(vm->qemuPid() > 0);
  const auto& console = KJ_ASSERT_NONNULL(bed.host.consoles.find("one"))->said;
  CHECK(console.size() > 0);
  CHECK(vm->consoleEnd() == console.asPtr().asBytes());
  CHECK_FALSE(KJ_ASSERT_NONNULL(bed.host.machinery.files.find("one")).hasSecret);
  bed.within(vm->destroy());
  CHECK(bed.within(vm->onEnd()) == VmEnd::DESTROYED);
  CHECK_FALSE(bed.host.machinery.isAnythingLeft("one"));
  CHECK(bed.host.machinery.processes.size() == 0);
}

TEST_CASE("a machine that ends by itself is dismantled, and its end has its cause") {
  Bed bed;
  bed.begin();
  for (auto why : {VmEnd::POWERED_OFF, VmEnd::REBOOTED, VmEnd::CRASHED, VmEnd::EXITED}) {
    auto vm = bed.start("one");
    bed.pass(1 * kj::SECONDS);
    bed.host.machinery.endMachine("one", why);
    CHECK(bed.within(vm->onEnd()) == why);
    CHECK_FALSE(bed.host.machinery.isAnythingLeft("one"));
  }
}

TEST_CASE("P09 that a machine ends is known before it is gone") {
  Bed bed;
  bed.begin();
  auto vm = bed.start("one");
  bed.pass(1 * kj::SECONDS);
  CHECK_FALSE(vm->isEnding());
  auto end = vm->onEnd();
  bed.host.fate.decree(Fault::CALL_HANGS);
  kj::Promise<void> destroying = kj::READY_NOW;
  SECTION("by destroy()") {
    destroying = vm->destroy();
  }
  SECTION("since its QEMU has ended") {
    bed.host.machinery.endMachine("one", VmEnd::EXITED);
    bed.scope.poll();
  }
  CHECK(vm->isEnding());
  CHECK_FALSE(end.poll(bed.scope));
  bed.within(kj::mv(end));
  bed.within(kj::mv(destroying));
  CHECK(vm->isEnding());
}

TEST_CASE("P29 S20 a machine that has given its end of the console away can be ended") {
  Bed bed;
  bed.begin();
  auto vm = bed.start("one");
  auto kept = KJ_ASSERT_NONNULL(bed.host.machinery.machine("one")).giveConsole();
  bed.within(vm->destroy());
  CHECK_FALSE(bed.host.machinery.isAnythingLeft("one"));
}

TEST_CASE("P41 a driver takes over the machine that runs, with its vsock and its end") {
  Bed bed;
  bed.begin();
  auto first = bed.start("one");
  auto pid = first->qemuPid();
  CHECK(bed.answers(*first));
  first = nullptr;
  // In one case the vsock device ends while no bothyd is there.
  const bool isLost = GENERATE(false, true);
  bed.life = nullptr;
  if (isLost) bed.host.machinery.loseDevice("one");
  bed.begin();
  auto second = KJ_REQUIRE_NONNULL(bed.within(bed.driver().adopt(bed.spec("one"))));
  CHECK(second->qemuPid() == pid);
  CHECK(bed.answers(*second));
  CHECK(bed.witness.restored == (isLost ? 1 : 0));
  bed.host.machinery.endMachine("one", VmEnd::POWERED_OFF);
  CHECK(bed.within(second->onEnd()) == VmEnd::POWERED_OFF);
  CHECK_FALSE(bed.host.machinery.isAnythingLeft("one"));
}

TEST_CASE("a vsock device that is killed, or serves no more, is replaced") {
  Bed bed;
  bed.begin();
  auto vm = bed.start("one");
  CHECK(bed.answers(*vm));
  bed.host.machinery.loseDevice("one");
  bed.pass(5 * kj::SECONDS);
  CHECK(bed.witness.restored == 1);
  CHECK(bed.answers(*vm));
  bed.host.machinery.loseWorker("one");
  bed.pass(10 * kj::SECONDS);
  CHECK(bed.witness.restored == 2);
  CHECK(bed.answers(*vm));
}

TEST_CASE("P28 a start that libvirt brings about late leaves nothing, also where its end fails") {
  Bed bed;
  bed.begin();
  bed.host.fate.decree(Fault::CALL_HANGS);
  {
    auto dropped = bed.driver().start(bed.spec("one"));
    bed.pass(1 * kj::SECONDS);
  }
  bed.host.fate.decree(Fault::CALL_FAILS);
  bed.within(bed.driver().remove("one"));
  CHECK_FALSE(bed.host.machinery.isAnythingLeft("one"));
  bed.pass(PATIENCE);
  CHECK_FALSE(bed.host.machinery.isAnythingLeft("one"));
  auto again = bed.start("one");
  CHECK(bed.answers(*again));
}

TEST_CASE("P41 an end that libvirt brings about late ends no machine that was started since") {
  Bed bed;
  bed.begin();
  auto first = bed.start("one");
  bed.host.fate.decree(Fault::CALL_HANGS);
  bed.within(first->destroy());
  auto second = bed.start("one");
  bed.pass(PATIENCE);
  CHECK(bed.runs("one"));
  CHECK(bed.answers(*second));
}

TEST_CASE("P30 what keeps a machine from being taken over is told in words, and it goes on") {
  Bed bed;
  bed.begin();
  bed.start("one");
  bed.host.fate.decree(Fault::PID_FILE_LOST);
  bed.begin();
  auto why = bed.within(bed.driver()
                            .adopt(bed.spec("one"))
                            .then([](auto) { return kj::String(); },
                                  [](kj::Exception&& e) { return kj::str(e.getDescription()); }));
  CHECK(why == "libvirt's file of QEMU's pid is missing");
  CHECK(bed.runs("one"));
}

TEST_CASE("P28 a machine whose record is damaged can be ended") {
  Bed bed;
  bed.begin();
  bed.start("one");
  bed.host.fate.decree(Fault::RECORD_DAMAGED);
  bed.begin();
  CHECK_THROWS(bed.within(bed.driver().adopt(bed.spec("one"))));
  CHECK(bed.runs("one"));
  bed.within(bed.driver().remove("one"));
  CHECK_FALSE(bed.host.machinery.lives("one"));
  CHECK(bed.host.machinery.records.find("one") == nullptr);
}

TEST_CASE("P28 of a machine whose record is damaged its user id tells what is left of it") {
  Bed bed;
  bed.begin();
  bed.start("one", 1);
  bed.start("two", 2);
  bed.host.fate.decree(Fault::RECORD_DAMAGED);
  bed.begin();
  auto& machinery = bed.host.machinery;
  SECTION("whose QEMU has ended") {
    machinery.endMachine("one", VmEnd::EXITED);
    bed.scope.poll();
    REQUIRE(machinery.processesOf(FIRST_UID + 1).size() == 1);
  }
  SECTION("which libvirt does not know") {
    machinery.domains.erase("one"_kj);
    REQUIRE(machinery.processesOf(FIRST_UID + 1).size() == 2);
    CHECK_THROWS(bed.within(bed.driver().remove("one")));
    CHECK_THROWS(bed.within(bed.driver().remove("one", FIRST_UID + 3)));
  }
  bed.within(bed.driver().remove("one", FIRST_UID + 1));
  CHECK(machinery.processesOf(FIRST_UID + 1).size() == 0);
  CHECK(machinery.records.find("one") == nullptr);
  CHECK(bed.runs("two"));
}

TEST_CASE("P41 what is left of a machine ends no other that has its user id since") {
  Bed bed;
  bed.begin();
  auto first = bed.start("one", 1);
  bed.host.fate.decree(Fault::STORAGE_REFUSED);
  bed.within(first->destroy());
  CHECK(bed.host.machinery.records.find("one") != nullptr);
  auto second = bed.start("two", 1);
  if (GENERATE(false, true)) bed.host.machinery.damagedRecords.insert(kj::str("two"));
  bed.begin();
  bed.within(bed.driver().remove("one"));
  CHECK(bed.host.machinery.records.find("one") == nullptr);
  CHECK(bed.runs("two"));
}

TEST_CASE("P29 S20 what is left of a machine is ended though a neighbour's record is damaged") {
  Bed bed;
  bed.begin();
  bed.start("one", 1);
  bed.start("two", 2);
  auto& machinery = bed.host.machinery;
  machinery.damagedRecords.insert(kj::str("two"));
  // Killed before it could record what it had started.
  auto& record = KJ_ASSERT_NONNULL(machinery.records.find("one"));
  record.qemu = record.vsockDevice = ProcessIdentity{0, 0};
  machinery.domains.erase("one"_kj);
  bed.begin();
  bed.within(bed.driver().remove("one"));
  CHECK(machinery.processesOf(FIRST_UID + 1).size() == 0);
  CHECK(bed.runs("two"));
}

TEST_CASE(
    "P41 machines beyond all queues are taken over at once, and libvirt lists its domains once") {
  // More than a queue of calls once had room for.
  constexpr uint32_t MACHINES = 1100;
  Bed bed;
  bed.begin();
  auto nameOf = [](uint32_t number) { return kj::str("m", number); };
  kj::Vector<uint64_t> pids(MACHINES);
  for (uint32_t i = 0; i < MACHINES; i++) pids.add(bed.start(nameOf(i), i + 1)->qemuPid());
  bed.begin();
  const auto listings = bed.host.machinery.listings;
  kj::Vector<kj::Promise<kj::Maybe<kj::Own<RunningVm>>>> takeovers(MACHINES);
  for (uint32_t i = 0; i < MACHINES; i++) {
    takeovers.add(bed.driver().adopt(bed.spec(nameOf(i), i + 1)));
  }
  auto found = bed.within(kj::joinPromises(takeovers.releaseAsArray()));
  CHECK(bed.host.machinery.listings == listings + 1);
  for (uint32_t i = 0; i < MACHINES; i++) {
    REQUIRE(KJ_REQUIRE_NONNULL(found[i])->qemuPid() == pids[i]);
  }
}

// What this life is asked for; it is killed at an effect of it.
using Ask = kj::Function<kj::Promise<void>(VmDriver&)>;

// Whether `ask` was cut off by the kill.
bool isKilledAt(Bed& bed, uint64_t effect, Ask ask) {
  bed.lifetime().endAfter(effect);
  auto asking = kj::evalNow([&]() { return ask(bed.driver()); }).catch_([](kj::Exception&&) {});
  bed.passLife();
  const bool isKilled = bed.lifetime().isOver();
  bed.lifetime().end();
  asking = nullptr;
  bed.life = nullptr;
  return isKilled;
}

// Calls `survives` with 1, 2, ... until nothing is killed any more.
void atEveryEffect(uint64_t least, kj::Function<bool(uint64_t)> survives) {
  uint64_t effect = 1;
  for (bool isKilled = true; isKilled; effect++) {
    CAPTURE(effect);
    isKilled = survives(effect);
  }
  CHECK(effect > least);
}

void checkRemoved(Bed& bed) {
  bed.within(bed.driver().remove("one"));
  CHECK_FALSE(bed.host.machinery.isAnythingLeft("one"));
  CHECK(bed.host.machinery.processes.size() == 0);
}

TEST_CASE("P41 P30 a bothyd that dies at any effect of a start leaves what the next one can end") {
  auto vsock = GENERATE(HostAbilities::Vsock::VHOST_USER, HostAbilities::Vsock::KERNEL);
  atEveryEffect(15, [&](uint64_t effect) {
    Bed bed;
    bed.vsock = vsock;
    bed.begin();
    const bool isKilled = isKilledAt(bed, effect, [&](VmDriver& driver) {
      return driver.start(bed.spec("one")).then([](auto) {});
    });
    const bool ran = bed.runs("one");
    bed.begin();
    auto found = bed.within(bed.driver().adopt(bed.spec("one")));
    // One that was told to run, or was about to be.
    CHECK(bed.runs("one") == (found != nullptr));
    CHECK((found != nullptr || !ran));
    KJ_IF_MAYBE (vm, found) CHECK(bed.answers(**vm));
    checkRemoved(bed);
    return isKilled;
  });
}

TEST_CASE("P28 a bothyd that dies at any effect of an end leaves what the next one can end") {
  atEveryEffect(5, [](uint64_t effect) {
    Bed bed;
    bed.begin();
    auto vm = bed.start("one");
    const bool isKilled = isKilledAt(bed, effect, [&](VmDriver&) { return vm->destroy(); });
    bed.begin();
    checkRemoved(bed);
    return isKilled;
  });
}

TEST_CASE("P41 a bothyd that dies at any effect of a takeover leaves a machine to be taken over") {
  // A device that has ended is replaced by who takes over.
  const bool isLost = GENERATE(false, true);
  atEveryEffect(isLost ? 5 : 1, [&](uint64_t effect) {
    Bed bed;
    bed.begin();
    auto pid = bed.start("one")->qemuPid();
    bed.begin();
    if (isLost) bed.host.machinery.loseDevice("one");
    kj::Maybe<kj::Own<RunningVm>> first;
    const bool isKilled = isKilledAt(bed, effect, [&](VmDriver& driver) {
      return driver.adopt(bed.spec("one")).then([&](auto vm) { first = kj::mv(vm); });
    });
    first = nullptr;
    CHECK(bed.runs("one"));
    bed.begin();
    auto second = KJ_REQUIRE_NONNULL(bed.within(bed.driver().adopt(bed.spec("one"))));
    CHECK(second->qemuPid() == pid);
    CHECK(bed.answers(*second));
    checkRemoved(bed);
    return isKilled;
  });
}

TEST_CASE("P28 a bothyd that dies at any effect of a removal leaves what the next one can remove") {
  atEveryEffect(5, [](uint64_t effect) {
    Bed bed;
    bed.begin();
    bed.start("one");
    bed.start("two", 2);
    bed.begin();
    const bool isKilled =
        isKilledAt(bed, effect, [&](VmDriver& driver) { return driver.remove("one"); });
    bed.begin();
    bed.within(bed.driver().remove("one"));
    CHECK_FALSE(bed.host.machinery.isAnythingLeft("one"));
    CHECK(bed.runs("two"));
    return isKilled;
  });
}

}  // namespace
}  // namespace bothy
