#include <unistd.h>

#include "keys/test-keyring.h"

namespace bothy {
namespace {

using Content = KeyringWorld::Content;
using Fault = TestKeyFiles::Fault;
using Unsynced = TestDisk::Unsynced;

// A keyring that the last bothyd without a tree made: alice, bob and carol, after dave was destroyed.
constexpr const char* PROTECTOR =
    "3723618cdb7792e4bd7fa5ff5560d69c535bd97479467daf0397c3a85f1a7ab0";
constexpr const char* MASTER =
    "424f5448594d535401000000000000000000000000000000000000000000010200000000000000497dd0a52215"
    "deb246b1791a2317ad1b2a93547e6b2e0a921b56753b0ac8258187063b303bd41ddda1d4d163351071a74f4980"
    "53a947f190d31fc55a97910b8f32c5ead852ef9370bf0ae5a2648dd3b48a031a07a0e0d5a5c7b3c693";
constexpr const char* KEYRING =
    "424f5448594b4559010002000000000000000300000005616c6963659df5aab3222fd3c9d5a42a7f2697270a9e"
    "ffe3b67c11841bd5555b6052f0e0adf225b71c6768d6e40825a31a61b964be955e5f3dca8917ea08dd26d90362"
    "6f62a87a72c541bfb603de199d9dd5fd8803e10c5187b0f354881dfb0b240f16e7ad623de4cea23a823f0fc117"
    "0fb8d2c02edf73035f7f4d5c69a6957c31056361726f6c73dc7060683c013ce7592a49ef1c538e35f3273c8095"
    "41a57674252f195098d6edc7acb1ef5205823094a01ec6cdd7b6cacfdb674262389051bf64168e01878fab50c2"
    "a3f671ab1788f14c8be4346257c7bf615020e09324";
constexpr std::pair<const char*, const char*> KEYS[] = {
    {"alice", "ee297042e3c10cc11176ef8d4ff6d9bf4079d4c92deb0da1ba5c37438a140679"},
    {"bob", "21fdbe235f13c870c7cc22f015dc0ccf75fa6eeb0da125b00b612162cfe9d94f"},
    {"carol", "779011207c2745c9473a393bfda45f5b438f811b49d8397c913b97b6c98e1654"},
};

// Far above the steps that taking over has: the loop ends before.
constexpr size_t MAX_STEPS = 1000;

Bytes bytesOfHex(const char* digits) {
  Bytes result;
  for (; *digits != '\0'; digits += 2) {
    char pair[] = {digits[0], digits[1], '\0'};
    result.push_back(strtoul(pair, nullptr, 16));
  }
  return result;
}

struct OldWorld: KeyringWorld {
  TestDisk old;
  Content content;

  OldWorld() {
    auto key = bytesOfHex(PROTECTOR);
    directory.write("protector", kj::str(kj::arrayPtr(key.data(), key.size()).asChars()));
    KJ_SYSCALL(chmod(keyFile().cStr(), 0600));
    old.put("master", bytesOfHex(MASTER));
    old.put("keyring", bytesOfHex(KEYRING));
    for (auto& [id, digits] : KEYS) content[id] = bytesOfHex(digits);
  }

  // The old file opens nothing under what is there now, and neither it nor its master lies anywhere.
  void requireNothingOld(const TestDisk& disk) {
    REQUIRE(disk.names.size() == 2 + 3);
    auto& master = disk.at("master");
    auto masters = mastersOf(kj::arrayPtr(master.data(), master.size()), protector());
    REQUIRE(masters.size() == 1);
    auto keyring = bytesOfHex(KEYRING);
    auto oldMaster = MasterFile::decode(bytesOf("master"), "master");
    for (auto& [id, digits] : KEYS) {
      REQUIRE_FALSE(opensOldKey(masters, kj::arrayPtr(keyring.data(), keyring.size()), id));
    }
    kj::ArrayPtr<const kj::byte> wrapped = oldMaster.generations[0].wrapped.content;
    for (auto& inode : disk.inodes) {
      REQUIRE_FALSE(contains(inode.content, wrapped));
      REQUIRE_FALSE(contains(inode.content, "BOTHYKEY"_kj.asBytes()));
    }
  }

  kj::Array<kj::byte> bytesOf(const std::string& name) const {
    auto& content = old.at(name);
    return kj::heapArray<kj::byte>(content.data(), content.size());
  }

  kj::Exception requireRefused(const char* file, Bytes replacement) {
    TestDisk damaged = old;
    damaged.put(file, kj::mv(replacement));
    auto before = damaged.listing();
    auto failure = failureOf([&]() { open(damaged); });
    REQUIRE((says(failure, "/test/master") || says(failure, "/test/keyring")));
    REQUIRE(damaged.listing() == before);
    return failure;
  }
};

TEST_CASE("a keyring of one file is taken over with its keys, and destroyed") {
  OldWorld world;
  TestDisk disk = world.old;
  auto tree = world.open(disk);
  CHECK(world.contentOf(*tree) == world.content);
  CHECK_FALSE(disk.has("keyring"));
  world.requireNothingOld(disk);
  destroy(*tree, "bob");
  create(*tree, "dave");
  tree = nullptr;
  auto now = world.contentOf(disk);
  CHECK(now.size() == 3);
  CHECK(now["alice"] == world.content["alice"]);
}

TEST_CASE(
    "R02 a kill or a power cut at any step of taking over loses no key, and the next start ends "
    "it") {
  OldWorld world;
  size_t step = 1;
  for (;; ++step) {
    REQUIRE(step < MAX_STEPS);
    INFO("step " << step);
    TestDisk disk = world.old;
    auto files = kj::heap<TestKeyFiles>(disk);
    files->failAt(step, Fault::KILL);
    auto failure =
        kj::runCatchingExceptions([&]() { openKeyTree(kj::mv(files), world.protector()); });
    if (failure == nullptr) break;
    for (size_t steps = 0; steps < disk.history.size(); ++steps) {
      for (auto unsynced : {Unsynced::LOST, Unsynced::KEPT, Unsynced::TORN}) {
        TestDisk rest = disk;
        rest.cutPower(steps, unsynced);
        auto tree = world.open(rest);
        REQUIRE(world.contentOf(*tree) == world.content);
        destroy(*tree, "carol");
      }
    }
    // The process alone ended: what it named is still there to be overwritten.
    world.open(disk);
    world.requireNothingOld(disk);
    REQUIRE(world.contentOf(disk) == world.content);
  }
  CHECK(step > 40);
}

TEST_CASE("R02 an error at any step of taking over loses no key") {
  OldWorld world;
  for (auto fault : {Fault::ERROR, Fault::ERRORS, Fault::DISK_FULL}) {
    for (size_t step = 1;; ++step) {
      REQUIRE(step < MAX_STEPS);
      INFO("step " << step);
      TestDisk disk = world.old;
      auto files = kj::heap<TestKeyFiles>(disk);
      auto& faults = *files;
      faults.failAt(step, fault);
      bool hasFired = true;
      auto failure = kj::runCatchingExceptions([&]() {
        auto tree = openKeyTree(kj::mv(files), world.protector());
        hasFired = faults.hasFired();
        REQUIRE(world.contentOf(*tree) == world.content);
      });
      if (!hasFired) break;
      world.open(disk);
      world.requireNothingOld(disk);
      REQUIRE(world.contentOf(disk) == world.content);
    }
  }
}

TEST_CASE("what is damaged of a keyring of one file is refused, and stays as it is") {
  OldWorld world;
  for (auto file : {"master", "keyring"}) {
    auto whole = world.old.at(file);
    // The seal of the keyring is not looked at: each key has a tag of its own.
    size_t bytes = whole.size() - (file == std::string("keyring") ? sizeof(Seal) : 0);
    for (size_t i = 0; i < bytes; ++i) {
      for (int flip : {0x01, 0xff}) {
        INFO(file << ", byte " << i << " ^ " << flip);
        auto damaged = whole;
        damaged[i] ^= flip;
        world.requireRefused(file, damaged);
      }
    }
    for (size_t size = 0; size < whole.size(); ++size) {
      world.requireRefused(file, Bytes(whole.begin(), whole.begin() + size));
    }
  }
  auto keyring = world.old.at("keyring");
  for (size_t i = 18; i < 22; ++i) keyring[i] = 0xff;
  CHECK(says(world.requireRefused("keyring", keyring), "the limit is 100000"));
}

TEST_CASE("a keyring of one file without its master is refused, and an empty one begins anew") {
  OldWorld world;
  TestDisk disk = world.old;
  disk.names.erase("master");
  auto before = disk.listing();
  CHECK(says(failureOf([&]() { world.open(disk); }), "its master is missing"));
  CHECK(disk.listing() == before);
  KeyringFile empty;
  empty.generation = 1;
  auto content = empty.encode(randomKey());
  disk.put("keyring", Bytes(content.begin(), content.end()));
  create(*world.open(disk), "alice");
  CHECK_FALSE(disk.has("keyring"));
  CHECK(world.contentOf(disk).size() == 1);
}

TEST_CASE("E05 a keyring of one file from a backup brings nothing back into the tree") {
  OldWorld world;
  TestDisk disk = world.old;
  destroy(*world.open(disk), "bob");
  disk.put("keyring", world.old.at("keyring"));
  auto now = world.contentOf(*world.open(disk));
  CHECK(now.count("bob") == 0);
  CHECK(now.size() == 2);
  CHECK_FALSE(disk.has("keyring"));
}

}  // namespace
}  // namespace bothy
