#include "keys/test-keyring.h"

namespace bothy {
namespace {

using Fault = TestKeyFiles::Fault;
using Content = KeyringWorld::Content;
using Unsynced = TestDisk::Unsynced;

// Changes, made together, of a keyring that holds a, b and one beside b.
struct Change {
  const char* name;
  std::vector<const char*> created;
  std::vector<const char*> destroyed;

  void run(KeyTree& tree) const {
    std::vector<KeyChange> changes;
    changes.reserve(created.size() + destroyed.size());
    for (auto id : created) changes.push_back(creation(id));
    for (auto id : destroyed) changes.push_back(destruction(id));
    auto pointers = KJ_MAP(change, changes) {
      return &change;
    };
    tree.apply(pointers);
    for (auto& change : changes) {
      KJ_IF_MAYBE (failure, change.failure) kj::throwFatalException(kj::cp(*failure));
    }
  }

  bool isDone(const Content& before, const Content& now) const {
    auto rest = now;
    auto expected = before;
    for (auto id : destroyed) {
      if (now.count(id) > 0) return false;
      expected.erase(id);
    }
    for (auto id : created) {
      // A new key, not the one that was there.
      auto old = before.find(id);
      if (now.count(id) == 0 || (old != before.end() && now.at(id) == old->second)) return false;
      rest.erase(id);
      expected.erase(id);
    }
    return rest == expected;
  }
};

const std::vector<Change>& changesOfEachKind() {
  static const std::vector<Change> CHANGES = {
      {"a new key", {"x"}, {}},
      {"a key in the place of a remnant", {"a"}, {}},
      {"a destroyed key beside another", {}, {"b"}},
      {"the last key of a node", {}, {"a"}},
      {"several together", {"x"}, {"a", "b"}},
  };
  return CHANGES;
}

// Of those whose files are looked at after each pair of faults: there is time for these alone.
std::vector<Change> changesForPairs() {
  auto& all = changesOfEachKind();
  return {all[0], all[2]};
}

// Far above the steps that a change has: the loop ends before.
constexpr size_t MAX_STEPS = 1000;

struct FaultWorld: KeyringWorld {
  TestDisk start;
  Content before;
  kj::Array<kj::byte> oldMaster;

  FaultWorld() {
    auto keeper = open(start);
    create(*keeper, "a");
    create(*keeper, "b");
    create(*keeper, idBeside("b"));
    before = contentOf(*keeper);
    oldMaster = kj::heapArray<kj::byte>(start.at("master").data(), start.at("master").size());
  }

  // What destroying promises: no copies of files that ever were open `id` under what is there now, and the
  // wrapped master that did is overwritten wherever it lay.
  void requireDestroyed(const TestDisk& disk, kj::StringPtr id) {
    auto& master = disk.at("master");
    auto masters = mastersOf(kj::arrayPtr(master.data(), master.size()), protector());
    REQUIRE(masters.size() == 1);
    REQUIRE_FALSE(opensKey(masters, disk.written, id));
    auto old = MasterFile::decode(oldMaster, "master"_kj);
    REQUIRE(old.generations.size() == 1);
    kj::ArrayPtr<const kj::byte> content = old.generations[0].wrapped.content;
    for (auto& inode : disk.inodes) {
      REQUIRE_FALSE(contains(inode.content, content));
      REQUIRE_FALSE(contains(inode.durable, content));
    }
  }

  void requireDone(const Change& change, TestDisk disk) {
    auto now = contentOf(disk);
    REQUIRE(change.isDone(before, now));
    for (auto id : change.destroyed) requireDestroyed(disk, id);
  }

  // Calls `look` with what each way to lose unsynced data leaves of `disk`.
  template <typename Look>
  void afterEachPowerCut(const TestDisk& disk, Look&& look) {
    for (size_t steps = 0; steps < disk.history.size(); ++steps) {
      for (auto unsynced : {Unsynced::LOST, Unsynced::KEPT, Unsynced::TORN}) {
        TestDisk rest = disk;
        rest.cutPower(steps, unsynced);
        look(rest);
      }
    }
  }

  // Old or new; and the change can be done again.
  void requireEither(const Change& change, TestDisk disk, bool wasPromised) {
    auto now = contentOf(disk);
    bool isDone = change.isDone(before, now);
    REQUIRE((isDone || (now == before && !wasPromised)));
    auto keeper = open(disk);
    change.run(*keeper);
    REQUIRE(change.isDone(before, contentOf(*keeper)));
    keeper = nullptr;
    REQUIRE(change.isDone(before, contentOf(disk)));
  }
};

TEST_CASE(
    "R02 after an error at any one step nothing has changed and the change can be done again") {
  FaultWorld world;
  for (auto& change : changesOfEachKind()) {
    size_t step = 1;
    size_t failures = 0;
    for (;; ++step) {
      REQUIRE(step < MAX_STEPS);
      INFO(change.name << ", step " << step);
      TestDisk disk = world.start;
      auto files = kj::heap<TestKeyFiles>(disk);
      auto& faults = *files;
      auto keeper = openKeyTree(kj::mv(files), world.protector());
      faults.failAt(step, Fault::ERROR);
      auto failure = kj::runCatchingExceptions([&]() { change.run(*keeper); });
      if (!faults.hasFired()) break;
      faults.heal();
      if (failure != nullptr) {
        ++failures;
        REQUIRE(world.contentOf(*keeper) == world.before);
        REQUIRE(world.contentOf(TestDisk(disk)) == world.before);
        world.afterEachPowerCut(
            disk, [&](TestDisk& rest) { REQUIRE(world.contentOf(rest) == world.before); });
        change.run(*keeper);
      }
      REQUIRE(change.isDone(world.before, world.contentOf(*keeper)));
      keeper = nullptr;
      world.requireDone(change, disk);
    }
    // Writing, naming and syncing may fail a change; overwriting an old keyring may not.
    CHECK(failures >= (change.destroyed.empty() ? 8 : 20));
    CHECK(step > failures);
  }
}

TEST_CASE(
    "R02 a full disk is OVERLOADED, changes nothing, and the change works when there is space") {
  FaultWorld world;
  for (auto& change : changesOfEachKind()) {
    for (size_t step = 1;; ++step) {
      REQUIRE(step < MAX_STEPS);
      INFO(change.name << ", step " << step);
      TestDisk disk = world.start;
      auto files = kj::heap<TestKeyFiles>(disk);
      auto& faults = *files;
      auto keeper = openKeyTree(kj::mv(files), world.protector());
      faults.failAt(step, Fault::DISK_FULL);
      auto failure = kj::runCatchingExceptions([&]() { change.run(*keeper); });
      if (!faults.hasFired()) break;
      REQUIRE(KJ_ASSERT_NONNULL(failure).getType() == kj::Exception::Type::OVERLOADED);
      REQUIRE(world.contentOf(*keeper) == world.before);
      REQUIRE(world.contentOf(TestDisk(disk)) == world.before);
      // Nothing half-written takes space.
      REQUIRE(disk.names.size() == world.start.names.size());
      faults.heal();
      change.run(*keeper);
      keeper = nullptr;
      world.requireDone(change, disk);
    }
  }
}

TEST_CASE("R02 two errors at any two steps leave the old or the new keyring, and reads go on") {
  FaultWorld world;
  for (auto& change : changesForPairs()) {
    bool hasMore = true;
    for (size_t first = 1; hasMore; ++first) {
      REQUIRE(first < MAX_STEPS);
      for (size_t second = first + 1;; ++second) {
        INFO(change.name << ", steps " << first << " and " << second);
        TestDisk disk = world.start;
        auto files = kj::heap<TestKeyFiles>(disk);
        auto& faults = *files;
        auto keeper = openKeyTree(kj::mv(files), world.protector());
        faults.failAt(first, Fault::ERROR, second);
        auto failure = kj::runCatchingExceptions([&]() { change.run(*keeper); });
        hasMore = faults.hasFired();
        if (faults.stepCount() < second) break;
        faults.heal();
        if (failure != nullptr) REQUIRE(world.contentOf(*keeper) == world.before);
        world.requireEither(change, disk, failure == nullptr);
        world.afterEachPowerCut(
            disk, [&](TestDisk& rest) { world.requireEither(change, rest, failure == nullptr); });
        change.run(*keeper);
        keeper = nullptr;
        world.requireDone(change, disk);
      }
    }
  }
}

TEST_CASE("R02 two errors while a damaged node is mended before a change cost no key") {
  FaultWorld world;
  // A copy within the node of b and the one beside it.
  world.start.at("node-3")[0] ^= 1;
  bool hasMore = true;
  for (size_t first = 1; hasMore; ++first) {
    REQUIRE(first < MAX_STEPS);
    for (size_t second = first + 1;; ++second) {
      INFO("steps " << first << " and " << second);
      TestDisk disk = world.start;
      auto files = kj::heap<TestKeyFiles>(disk);
      auto& faults = *files;
      // The start mends nothing, so the change does.
      faults.failAt(1, Fault::DISK_FULL);
      auto keeper = openKeyTree(kj::mv(files), world.protector());
      REQUIRE(faults.hasFired());
      faults.failAt(first, Fault::ERROR, second);
      bool isMade = kj::runCatchingExceptions([&]() { create(*keeper, "x"); }) == nullptr;
      hasMore = faults.hasFired();
      if (faults.stepCount() < second) break;
      faults.heal();
      keeper = nullptr;
      auto now = world.contentOf(disk);
      bool hasNew = now.erase("x") > 0;
      REQUIRE((hasNew || !isMade));
      REQUIRE(now == world.before);
    }
  }
}

TEST_CASE("R02 a disk that fails for good leaves the old or the new keyring, and reads go on") {
  FaultWorld world;
  for (auto& change : changesOfEachKind()) {
    for (size_t step = 1;; ++step) {
      REQUIRE(step < MAX_STEPS);
      INFO(change.name << ", step " << step);
      TestDisk disk = world.start;
      auto files = kj::heap<TestKeyFiles>(disk);
      auto& faults = *files;
      auto keeper = openKeyTree(kj::mv(files), world.protector());
      faults.failAt(step, Fault::ERRORS);
      auto failure = kj::runCatchingExceptions([&]() { change.run(*keeper); });
      if (!faults.hasFired()) break;
      if (failure != nullptr) {
        REQUIRE(world.contentOf(*keeper) == world.before);
        failureOf([&]() { change.run(*keeper); });
      }
      world.requireEither(change, disk, failure == nullptr);
      faults.heal();
      change.run(*keeper);
      keeper = nullptr;
      REQUIRE(change.isDone(world.before, world.contentOf(TestDisk(disk))));
    }
  }
}

TEST_CASE(
    "R02 E03 after a kill at any step there is the old or the new keyring, and a redone "
    "destruction is complete") {
  FaultWorld world;
  for (auto& change : changesOfEachKind()) {
    size_t step = 1;
    for (;; ++step) {
      REQUIRE(step < MAX_STEPS);
      INFO(change.name << ", step " << step);
      TestDisk disk = world.start;
      auto files = kj::heap<TestKeyFiles>(disk);
      auto& faults = *files;
      auto keeper = openKeyTree(kj::mv(files), world.protector());
      faults.failAt(step, Fault::KILL);
      bool isPromised = kj::runCatchingExceptions([&]() { change.run(*keeper); }) == nullptr;
      if (!faults.hasFired()) break;
      keeper = nullptr;

      world.requireEither(change, disk, isPromised);
      world.afterEachPowerCut(
          disk, [&](TestDisk& rest) { world.requireEither(change, rest, isPromised); });

      // The process alone ended: what it named is still there to be overwritten.
      auto again = world.open(disk);
      change.run(*again);
      again = nullptr;
      world.requireDone(change, disk);
    }
    // A file is replaced in 11 steps; see file-replacer.h.
    CHECK(step - 1 >= (change.destroyed.empty() ? 11 : 33));
  }
}

TEST_CASE("R02 a kill or a power cut while a keyring recovers leaves the old or the new one too") {
  FaultWorld world;
  for (auto& change : changesForPairs()) {
    for (size_t step = 1;; ++step) {
      REQUIRE(step < MAX_STEPS);
      TestDisk disk = world.start;
      auto files = kj::heap<TestKeyFiles>(disk);
      auto& faults = *files;
      auto keeper = openKeyTree(kj::mv(files), world.protector());
      faults.failAt(step, Fault::KILL);
      bool isPromised = kj::runCatchingExceptions([&]() { change.run(*keeper); }) == nullptr;
      if (!faults.hasFired()) break;
      keeper = nullptr;

      for (size_t second = 1;; ++second) {
        REQUIRE(second < MAX_STEPS);
        INFO(change.name << ", step " << step << ", then step " << second << " of recovering");
        TestDisk recovering = disk;
        auto secondFiles = kj::heap<TestKeyFiles>(recovering);
        secondFiles->failAt(second, Fault::KILL);
        auto failure = kj::runCatchingExceptions(
            [&]() { openKeyTree(kj::mv(secondFiles), world.protector()); });
        if (failure == nullptr) break;
        world.requireEither(change, recovering, isPromised);
        world.afterEachPowerCut(recovering, [&](TestDisk& rest) {
          auto now = world.contentOf(rest);
          REQUIRE((change.isDone(world.before, now) || (now == world.before && !isPromised)));
        });
      }
    }
  }
}

TEST_CASE("R02 a kill while a keyring is made leaves nothing that stops the next start") {
  KeyringWorld world;
  size_t step = 1;
  for (;; ++step) {
    REQUIRE(step < MAX_STEPS);
    INFO("step " << step);
    TestDisk disk;
    auto files = kj::heap<TestKeyFiles>(disk);
    files->failAt(step, Fault::KILL);
    auto failure =
        kj::runCatchingExceptions([&]() { openKeyTree(kj::mv(files), world.protector()); });
    if (failure == nullptr) break;
    for (size_t steps = 0; steps < disk.history.size(); ++steps) {
      for (auto unsynced : {Unsynced::LOST, Unsynced::KEPT, Unsynced::TORN}) {
        TestDisk rest = disk;
        rest.cutPower(steps, unsynced);
        auto keeper = world.open(rest);
        REQUIRE(world.contentOf(*keeper).empty());
        create(*keeper, "a");
        keeper = nullptr;
        REQUIRE(world.contentOf(rest).size() == 1);
      }
    }
  }
  CHECK(step > 15);
}

}  // namespace
}  // namespace bothy
