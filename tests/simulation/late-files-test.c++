// The real driver, over a host in memory and in virtual time, whose disk is slow.
#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "simulation/driver-bed.h"

namespace bothy {
namespace {

// Enough for moments and minutes.
constexpr int TRIES = 8;

TEST_CASE(
    "P28 P41 files of a machine that are removed late are not those of the next of its name") {
  Bed bed;
  bed.begin();
  for (int i = 0; i < TRIES; i++) {
    auto first = bed.start("one");
    bed.host.fate.decree(Fault::STORAGE_SLOW);
    auto ending = first->destroy();
    bed.pass(1 * kj::SECONDS);
    auto second = bed.start("one");
    bed.within(kj::mv(ending));
    bed.pass(PATIENCE);
    CHECK(bed.runs("one"));
    CHECK(bed.answers(*second));
    CHECK(KJ_ASSERT_NONNULL(bed.host.machinery.files.find("one")).isPrepared);
    bed.within(second->destroy());
    CHECK_FALSE(bed.host.machinery.isAnythingLeft("one"));
  }
}

TEST_CASE("P28 a bothyd that dies while it removes files leaves what the next one can remove") {
  Bed bed;
  for (int i = 0; i < TRIES; i++) {
    bed.begin();
    auto vm = bed.start("one");
    bed.host.fate.decree(Fault::STORAGE_SLOW);
    auto ending = vm->destroy();
    bed.pass(1 * kj::SECONDS);
    ending = nullptr;
    vm = nullptr;
    bed.begin();
    bed.within(bed.driver().remove("one"));
    CHECK_FALSE(bed.host.machinery.isAnythingLeft("one"));
  }
}

TEST_CASE("P41 a record that is under way when bothyd is killed is saved or removed, or is not") {
  constexpr int KILLS = 50;
  Bed bed;
  auto isRecorded = [&]() { return bed.host.machinery.records.find("one") != nullptr; };
  int effects = 0;
  auto kill = [&]() {
    const bool wasRecorded = isRecorded();
    bed.life = nullptr;
    effects += isRecorded() != wasRecorded;
    bed.begin();
    bed.within(bed.driver().remove("one"));
    CHECK_FALSE(bed.host.machinery.isAnythingLeft("one"));
  };
  SECTION("a save") {
    for (int i = 0; i < KILLS; i++) {
      bed.begin();
      bed.host.fate.decree(Fault::STORAGE_SLOW);
      {
        auto starting = bed.driver().start(bed.spec("one"));
        bed.scope.poll();
      }
      REQUIRE_FALSE(isRecorded());
      kill();
    }
  }
  SECTION("a removal") {
    for (int i = 0; i < KILLS; i++) {
      bed.begin();
      {
        auto vm = bed.start("one");
        auto ending = vm->destroy();
        // Of its files, libvirt's, and the record, unless its console has something to say yet.
        for (int removals = 0; removals < 3; removals++) bed.host.fate.decree(Fault::STORAGE_SLOW);
        while (bed.host.machinery.files.find("one") != nullptr) {
          bed.timer.advanceTo(KJ_REQUIRE_NONNULL(bed.timer.nextEvent()));
          bed.scope.poll();
        }
      }
      kill();
    }
  }
  CHECK(effects > 0);
  CHECK(effects < KILLS);
}

TEST_CASE("P28 a log of a console that opens late has all of it, or is not made again") {
  Bed bed;
  bed.begin();
  for (int i = 0; i < TRIES; i++) {
    bed.host.fate.decree(Fault::STORAGE_SLOW);
    auto vm = bed.start("one");
    if (i % 2 == 0) {
      bed.pass(PATIENCE);
      auto& log = KJ_ASSERT_NONNULL(bed.host.consoles.find("one"))->said;
      CHECK(log.size() > 0);
      CHECK(vm->consoleEnd() == log.asPtr().asBytes());
    }
    bed.within(vm->destroy());
    bed.host.consoles.erase("one"_kj);
    bed.pass(PATIENCE);
    CHECK(bed.host.consoles.find("one") == nullptr);
  }
}

TEST_CASE("P30 what a console says is known though its file has no room or cannot be written") {
  Bed bed;
  bed.begin();
  for (auto fault : {Fault::STORAGE_FULL, Fault::STORAGE_REFUSED}) {
    auto vm = bed.start("one");
    bed.host.fate.decree(fault);
    bed.pass(5 * kj::SECONDS);
    CHECK(vm->consoleEnd().size() > 0);
    CHECK(KJ_ASSERT_NONNULL(bed.host.consoles.find("one"))->said.size() == 0);
    bed.within(vm->destroy());
  }
}

}  // namespace
}  // namespace bothy
