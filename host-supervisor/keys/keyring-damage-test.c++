#include <random>

#include "keys/test-keyring.h"

namespace bothy {
namespace {

constexpr const char* FILES[] = {"master", "keyring"};

struct DamageWorld: KeyringWorld {
  TestDisk disk;
  Content content;

  DamageWorld() {
    auto keeper = open(disk);
    for (auto id : {"alice"_kj, "bob"_kj}) keeper->create(id).wait(scope);
    content = contentOf(*keeper);
  }

  // Opening it with `file` replaced is refused, says so of one of the two files, and changes nothing.
  kj::Exception requireRefused(const char* file, Bytes replacement) {
    TestDisk damaged = disk;
    damaged.put(file, kj::mv(replacement));
    auto before = damaged.listing();
    auto failure = failureOf([&]() { open(damaged); });
    REQUIRE(failure.getType() == kj::Exception::Type::FAILED);
    REQUIRE((says(failure, "/test/master") || says(failure, "/test/keyring")));
    REQUIRE(damaged.listing() == before);
    return failure;
  }
};

TEST_CASE("every byte of both files that changes is noticed, and nothing is overwritten") {
  DamageWorld world;
  for (auto file : FILES) {
    auto whole = world.disk.at(file);
    for (size_t i = 0; i < whole.size(); ++i) {
      for (int flip : {0x01, 0x10, 0x80, 0xff}) {
        INFO(file << ", byte " << i << " ^ " << flip);
        auto damaged = whole;
        damaged[i] ^= flip;
        world.requireRefused(file, damaged);
      }
    }
  }
  CHECK(world.contentOf(*world.open(world.disk)) == world.content);
}

TEST_CASE("both files are refused at every length but their own") {
  DamageWorld world;
  for (auto file : FILES) {
    auto whole = world.disk.at(file);
    for (size_t size = 0; size < whole.size(); ++size) {
      INFO(file << ", " << size << " bytes");
      world.requireRefused(file, Bytes(whole.begin(), whole.begin() + size));
    }
    auto longer = whole;
    longer.push_back(0);
    world.requireRefused(file, longer);
  }
}

TEST_CASE("files of anything are refused") {
  DamageWorld world;
  std::mt19937 random(20);  // the same files in each run
  for (auto file : FILES) {
    auto whole = world.disk.at(file);
    for (int i = 0; i < 500; ++i) {
      Bytes garbage(random() % 400);
      for (auto& byte : garbage) byte = random();
      // Half of them get past the header.
      if (i % 2 == 0)
        std::copy(whole.begin(), whole.begin() + std::min(garbage.size(), size_t(10)),
                  garbage.begin());
      world.requireRefused(file, garbage);
    }
  }
  world.requireRefused("master", world.disk.at("keyring"));
  world.requireRefused("keyring", world.disk.at("master"));
}

TEST_CASE("a count of keys that no keyring holds is refused before memory is taken for it") {
  DamageWorld world;
  auto keyring = world.disk.at("keyring");
  for (size_t i = 18; i < 22; ++i) keyring[i] = 0xff;
  CHECK(says(world.requireRefused("keyring", keyring), "the limit is 100000"));
}

TEST_CASE("a newer version is named as such") {
  DamageWorld world;
  for (auto file : FILES) {
    auto newer = world.disk.at(file);
    newer[8] = 2;
    CHECK(says(world.requireRefused(file, newer),
               "it is of version 2 and this bothyd knows up to 1"));
  }
}

TEST_CASE("a master without its keyring, and a keyring without its master, are refused") {
  DamageWorld world;
  for (auto file : FILES) {
    TestDisk disk = world.disk;
    disk.names.erase(file);
    auto before = disk.listing();
    CHECK(says(failureOf([&]() { world.open(disk); }), "is missing"));
    CHECK(disk.listing() == before);
  }
}

TEST_CASE("a keyring that holds nothing and lost its master begins anew") {
  KeyringWorld world;
  TestDisk disk;
  world.open(disk);
  disk.names.erase("master");
  auto keeper = world.open(disk);
  keeper->create("alice").wait(world.scope);
  auto content = world.contentOf(*keeper);
  keeper = nullptr;
  CHECK(world.contentOf(disk) == content);
}

TEST_CASE("a wrong key file opens nothing, is named, and changes nothing") {
  DamageWorld world;
  Protector other({ProtectorSetting::Kind::KEY_FILE, world.directory.at("other"),
                   ProtectorSetting::IfMissing::CREATE});
  other.make();
  auto before = world.disk.listing();
  auto failure =
      failureOf([&]() { openLocalKeyring(kj::heap<TestKeyFiles>(world.disk), kj::mv(other)); });
  CHECK(says(failure, kj::str("the key file ", world.directory.at("other"),
                              " does not open this keyring: /test/master")));
  CHECK(world.disk.listing() == before);
}

TEST_CASE("a key file that is missing is not made again for a keyring that it would not open") {
  DamageWorld world;
  KJ_SYSCALL(unlink(world.keyFile().cStr()));
  CHECK(says(failureOf([&]() { world.open(world.disk); }), world.keyFile()));
  CHECK_FALSE(world.directory.has("protector"));
}

TEST_CASE(
    "E05 an older keyring is refused after a key was destroyed, and opens nothing destroyed") {
  DamageWorld world;
  auto older = world.disk.at("keyring");
  world.open(world.disk)->destroy("alice").wait(world.scope);
  CHECK(says(world.requireRefused("keyring", older), "it is an older copy"));

  // Nor with its generation changed to the present one.
  auto& master = world.disk.at("master");
  auto masters = mastersOf(kj::arrayPtr(master.data(), master.size()), world.protector());
  CHECK(masters.size() == 1);
  CHECK_FALSE(opensKey(masters, kj::arrayPtr(older.data(), older.size()), "alice"));
  CHECK_FALSE(opensKey(masters, kj::arrayPtr(older.data(), older.size()), "bob"));
  auto& keyring = world.disk.at("keyring");
  CHECK(opensKey(masters, kj::arrayPtr(keyring.data(), keyring.size()), "bob"));
  older[10] = keyring[10];
  CHECK(says(world.requireRefused("keyring", older), "its seal"));
}

}  // namespace
}  // namespace bothy
