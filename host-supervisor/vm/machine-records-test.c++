#include "vm/machine-records.h"

#include <stdlib.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include <filesystem>

#include "vm/test-machine-host.h"

namespace bothy {
namespace {

struct World {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  Deeds deeds;
  TestStorage storage{deeds,
                      kj::heap<WorkerThread>(io.provider->getTimer(), "the records of machines")};
  MachineRecords records{storage};

  static MachineRecord record(kj::StringPtr name, uint32_t uid = 7) {
    return {kj::str(name), kj::str("/run/", name), uid};
  }
};

TEST_CASE("R20 a disk that hangs holds up who saves a record, and not the event loop") {
  World w;
  w.storage.hang(true);
  auto saving = w.records.save(w.record("one"));
  auto asking = w.records.find("one");
  for (int i = 0; i < 10; i++) {
    CHECK_FALSE(saving.poll(w.scope));
    CHECK_FALSE(asking.poll(w.scope));
  }
  w.storage.hang(false);
  saving.wait(w.scope);
  auto found = asking.wait(w.scope);
  CHECK(KJ_ASSERT_NONNULL(KJ_ASSERT_NONNULL(found).record).uid == 7);
}

TEST_CASE("P41 records are saved and removed in the order of asking, whoever leaves meanwhile") {
  World w;
  w.storage.hang(true);
  {
    auto begun = w.records.save(w.record("begun"));
    auto waiting = w.records.save(w.record("waiting"));
    w.scope.poll();
  }
  auto saving = w.records.save(w.record("one"));
  auto removing = w.records.remove("one");
  w.scope.poll();
  w.storage.hang(false);
  removing.wait(w.scope);
  CHECK(saving.poll(w.scope));
  CHECK(w.deeds.told() == "saved begun, saved one, removed one");
  CHECK(w.records.all().wait(w.scope).size() == 1);
}

TEST_CASE("P28 a record that cannot be understood is found, and none where there is none") {
  World w;
  w.records.save(w.record("good")).wait(w.scope);
  w.records.save(w.record("damaged", 0)).wait(w.scope);
  CHECK(w.records.find("none").wait(w.scope) == nullptr);
  CHECK_FALSE(w.records.has("none").wait(w.scope));
  CHECK(w.records.has("damaged").wait(w.scope));
  auto damaged = w.records.find("damaged").wait(w.scope);
  CHECK(KJ_ASSERT_NONNULL(damaged).record == nullptr);
  CHECK(w.records.load("damaged").wait(w.scope) == nullptr);
  CHECK(KJ_ASSERT_NONNULL(w.records.load("good").wait(w.scope)).uid == 7);
  auto all = w.records.all().wait(w.scope);
  REQUIRE(all.size() == 2);
  CHECK(all[0].name == "damaged");
  CHECK(all[0].record == nullptr);
  CHECK(all[1].record != nullptr);
}

TEST_CASE("R20 a disk that hangs holds up who asks whose machines are, and not the event loop") {
  TestMachineHost w(true);
  w.leaveRunning("m1");
  w.storage.saveRecord({kj::str("m2"), nullptr, 0});
  w.storage.hang(true);
  auto asking = w.driver->users();
  for (int i = 0; i < 10; i++) CHECK_FALSE(asking.poll(w.scope));
  // Who comes later is held up by nobody that has left.
  asking = w.driver->users();
  CHECK_FALSE(asking.poll(w.scope));
  w.storage.hang(false);
  auto users = w.within(kj::mv(asking));
  REQUIRE(users.size() == 2);
  CHECK(users[0].name == "m1");
  CHECK(users[0].uid == userOf("m1"));
  CHECK(users[1].uid == nullptr);
}

TEST_CASE("R20 the host's own records have a thread") {
  char directory[] = "/tmp/bothy-records-XXXXXX";
  KJ_REQUIRE(mkdtemp(directory) != nullptr);
  KJ_DEFER(std::filesystem::remove_all(directory));
  auto io = kj::setupAsyncIo();
  LibvirtDriverSettings settings;
  settings.stateDir = kj::str(directory);
  settings.runtimeDir = kj::str(directory);
  auto storage = newHostStorage(io.provider->getTimer(), settings);
  pid_t thread = 0;
  storage->runApart([&thread]() { thread = gettid(); }).wait(io.waitScope);
  CHECK(thread != 0);
  CHECK(thread != gettid());
  MachineRecords records(*storage);
  records.save(World::record("one")).wait(io.waitScope);
  CHECK(KJ_ASSERT_NONNULL(MachineRecord::load(directory, "one")).uid == 7);
  records.remove("one").wait(io.waitScope);
  CHECK_FALSE(MachineRecord::exists(directory, "one"));
}

TEST_CASE("P41 a machine's record is saved before there is anything of it, and removed last") {
  TestMachineHost w(true);
  w.storage.hang(true);
  auto starting = w.driver->start(w.spec("m1"));
  for (int i = 0; i < 10; i++) w.pass(1 * kj::SECONDS);
  CHECK(w.deeds.told() == "");
  SECTION("of a start that is waited for") {
    w.storage.hang(false);
    auto vm = w.within(kj::mv(starting));
    CHECK(w.deeds.told() ==
          "saved m1, made files of m1, created m1, saved m1 that runs, resumed m1");
    w.within(vm->destroy());
    CHECK(w.deeds.told().endsWith("destroyed m1, removed m1"));
  }
  SECTION("of a start that is dropped") {
    starting = nullptr;
    auto removing = w.driver->remove("m1");
    for (int i = 0; i < 100; i++) w.pass(1 * kj::SECONDS);
    CHECK_FALSE(removing.poll(w.scope));
    w.storage.hang(false);
    w.within(kj::mv(removing));
    CHECK(w.deeds.told() == "destroyed m1, saved m1, removed m1");
  }
}

}  // namespace
}  // namespace bothy
