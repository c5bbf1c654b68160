#include <random>

#include "keys/test-keyring.h"

namespace bothy {
namespace {

struct DamageWorld: KeyringWorld {
  TestDisk disk;
  kj::String beside = idBeside("bob");
  Content content;
  // Of bob, and of the one beside it.
  std::string node;

  DamageWorld() {
    auto tree = open(disk);
    for (kj::StringPtr id : {"alice"_kj, "bob"_kj, kj::StringPtr(beside)}) create(*tree, id);
    content = contentOf(*tree);
    KJ_ASSERT(slotOf("alice") != slotOf("bob"));
    // The newest.
    node = "node-3";
    KJ_ASSERT(disk.has(node) && disk.names.size() == 4);
  }

  Content withoutNode() const {
    auto rest = content;
    rest.erase("bob");
    rest.erase(beside.cStr());
    return rest;
  }

  // What makes the first content of a file, without the padding.
  static size_t contentBytes(const Bytes& file) {
    size_t length = 0;
    for (size_t i = 0; i < sizeof(uint32_t); ++i) {
      length |= size_t(file[CONTENT_LENGTH_OFFSET + i]) << (8 * i);
    }
    return length;
  }

  TestDisk with(const std::string& file, Bytes replacement) const {
    TestDisk damaged = disk;
    damaged.put(file, kj::mv(replacement));
    return damaged;
  }

  // Opening it with `file` replaced is refused, says so of one of the two files, and changes nothing.
  kj::Exception requireRefused(const std::string& file, Bytes replacement) {
    auto damaged = with(file, kj::mv(replacement));
    auto before = damaged.listing();
    auto failure = failureOf([&]() { open(damaged); });
    REQUIRE(failure.getType() == kj::Exception::Type::FAILED);
    REQUIRE((says(failure, "/test/master") || says(failure, "/test/top")));
    REQUIRE(damaged.listing() == before);
    return failure;
  }

  // It costs the keys of the node alone, and nothing is overwritten.
  void requireCostsNode(Bytes replacement) {
    auto damaged = with(node, kj::mv(replacement));
    auto before = damaged.listing();
    auto tree = open(damaged);
    REQUIRE(contentOf(*tree) == withoutNode());
    auto failure = failureOf([&]() { tree->open("bob"); });
    REQUIRE(says(failure, "/test/node-3 is refused"));
    REQUIRE(damaged.listing() == before);
  }

  void requireCostsNodeOrRefused(const std::string& file, Bytes replacement) {
    if (file == node) {
      requireCostsNode(kj::mv(replacement));
    } else {
      requireRefused(file, kj::mv(replacement));
    }
  }

  std::vector<std::string> files() const { return {"master", "top", node}; }
};

TEST_CASE("R02 a byte that changes in one place of any file costs nothing, and is mended") {
  DamageWorld world;
  for (auto& file : world.files()) {
    auto whole = world.disk.at(file);
    for (size_t copy : {size_t(0), whole.size() / 2}) {
      for (size_t i = 0; i < world.contentBytes(whole); ++i) {
        for (int flip : {0x01, 0xff}) {
          INFO(file << ", byte " << copy + i << " ^ " << flip);
          auto damaged = whole;
          damaged[copy + i] ^= flip;
          auto disk = world.with(file, damaged);
          REQUIRE(world.contentOf(*world.open(disk)) == world.content);
          for (auto& [name, content] : disk.listing()) {
            auto half = content.begin() + content.size() / 2;
            REQUIRE(Bytes(content.begin(), half) == Bytes(half, content.end()));
          }
          REQUIRE(world.contentOf(disk) == world.content);
        }
      }
    }
  }
}

TEST_CASE(
    "R02 every byte that changes in both copies is noticed, and costs no more than its node") {
  DamageWorld world;
  for (auto& file : world.files()) {
    auto whole = world.disk.at(file);
    for (size_t i = 0; i < world.contentBytes(whole); ++i) {
      for (int flip : {0x01, 0x10, 0x80, 0xff}) {
        INFO(file << ", byte " << i << " ^ " << flip);
        auto damaged = whole;
        damaged[i] ^= flip;
        damaged[whole.size() / 2 + i] ^= flip;
        world.requireCostsNodeOrRefused(file, damaged);
      }
    }
  }
  CHECK(world.contentOf(world.disk) == world.content);
}

TEST_CASE("files that end before their first copy does are refused") {
  DamageWorld world;
  for (auto& file : world.files()) {
    auto whole = world.disk.at(file);
    for (size_t size = 0; size < world.contentBytes(whole); ++size) {
      INFO(file << ", " << size << " bytes");
      world.requireCostsNodeOrRefused(file, Bytes(whole.begin(), whole.begin() + size));
    }
  }
}

TEST_CASE("R02 a file that is cut short behind its first copy costs nothing, and is mended") {
  DamageWorld world;
  for (auto& file : world.files()) {
    auto whole = world.disk.at(file);
    for (size_t size = world.contentBytes(whole); size < whole.size(); ++size) {
      INFO(file << ", " << size << " bytes");
      auto disk = world.with(file, Bytes(whole.begin(), whole.begin() + size));
      REQUIRE(world.contentOf(*world.open(disk)) == world.content);
      for (auto& [name, content] : disk.listing()) {
        auto half = content.begin() + content.size() / 2;
        REQUIRE(Bytes(content.begin(), half) == Bytes(half, content.end()));
      }
      REQUIRE(world.contentOf(disk) == world.content);
    }
  }
}

TEST_CASE("files of anything are refused") {
  DamageWorld world;
  std::mt19937 random(20);  // the same files in each run
  for (auto& file : world.files()) {
    auto whole = world.disk.at(file);
    for (int i = 0; i < 500; ++i) {
      Bytes garbage(random() % 400);
      for (auto& byte : garbage) byte = random();
      // Half of them get past the header.
      if (i % 2 == 0)
        std::copy(whole.begin(), whole.begin() + std::min(garbage.size(), size_t(10)),
                  garbage.begin());
      world.requireCostsNodeOrRefused(file, garbage);
    }
  }
  world.requireRefused("master", world.disk.at("top"));
  world.requireRefused("top", world.disk.at("master"));
  world.requireCostsNode(world.disk.at("node-1"));
}

TEST_CASE("counts that no file holds are refused before memory is taken for them") {
  DamageWorld world;
  auto top = world.disk.at("top");
  size_t count = TOP_HEADER_BYTES + sizeof(WrappedKey);
  for (size_t copy : {size_t(0), top.size() / 2}) {
    for (size_t i = 0; i < sizeof(uint32_t); ++i) top[copy + count + i] = 0xff;
  }
  CHECK(says(world.requireRefused("top", top), "the limit is 4096"));
}

TEST_CASE("a newer version is named as such") {
  DamageWorld world;
  for (auto& [file, version] : {std::pair{"master", 2}, std::pair{"top", 1}}) {
    auto newer = world.disk.at(file);
    newer[8] = newer[newer.size() / 2 + 8] = version + 1;
    CHECK(
        says(world.requireRefused(file, newer),
             kj::str("it is of version ", version + 1, " and this bothyd knows up to ", version)));
  }
}

TEST_CASE("a master without its top, and a top without its master, are refused") {
  DamageWorld world;
  for (auto file : {"master", "top"}) {
    TestDisk disk = world.disk;
    disk.names.erase(file);
    auto before = disk.listing();
    CHECK(says(failureOf([&]() { world.open(disk); }), "is missing"));
    CHECK(disk.listing() == before);
  }
}

TEST_CASE("nodes without anything else are refused, and stay") {
  DamageWorld world;
  TestDisk disk = world.disk;
  disk.names.erase("master");
  disk.names.erase("top");
  auto before = disk.listing();
  CHECK(says(failureOf([&]() { world.open(disk); }), "it is missing or empty, and there is"));
  CHECK(disk.listing() == before);
}

TEST_CASE("a node that is missing costs its keys, and all is there again when it is put back") {
  DamageWorld world;
  TestDisk disk = world.disk;
  auto whole = disk.at(world.node);
  disk.names.erase(world.node);
  auto tree = world.open(disk);
  CHECK(world.contentOf(*tree) == world.withoutNode());
  CHECK(says(failureOf([&]() { tree->open(world.beside); }),
             "/test/node-3 is refused: it is missing"));
  // What else happens meanwhile takes nothing from it.
  destroy(*tree, "alice");
  create(*tree, "dave");
  tree = nullptr;
  disk.put(world.node, whole);
  auto now = world.contentOf(disk);
  CHECK(now.size() == 3);
  CHECK(now["bob"] == world.content["bob"]);
  CHECK(now[world.beside.cStr()] == world.content[world.beside.cStr()]);
}

TEST_CASE(
    "E03 where a node is put back, the newer of two keys of an id counts, and destroys both") {
  DamageWorld world;
  kj::StringPtr id = world.beside;
  TestDisk disk = world.disk;
  auto whole = disk.at(world.node);
  disk.names.erase(world.node);
  create(*world.open(disk), id);
  disk.put(world.node, whole);
  auto tree = world.open(disk);
  auto newer = world.contentOf(*tree)[id.cStr()];
  CHECK(newer != world.content[id.cStr()]);
  // The older node is written again, without the key of another.
  TestDisk changed = disk;
  {
    auto other = world.open(changed);
    destroy(*other, "bob");
    CHECK(world.contentOf(*other)[id.cStr()] == newer);
    CHECK(other->list().size() == 2);
  }
  CHECK(world.contentOf(changed)[id.cStr()] == newer);

  destroy(*tree, id);
  CHECK(world.contentOf(*tree).count(id.cStr()) == 0);
  CHECK(tree->list().size() == 2);
  tree = nullptr;
  CHECK(world.contentOf(disk).count(id.cStr()) == 0);
  auto& master = disk.at("master");
  auto masters = mastersOf(kj::arrayPtr(master.data(), master.size()), world.protector());
  CHECK_FALSE(opensKey(masters, disk.written, id));
}

TEST_CASE("R02 a copy that somebody put beside a node stays") {
  DamageWorld world;
  for (auto copy : {"node-3.bak", "node-3.lost.bak", "node-", "node-old"}) {
    world.disk.put(copy, world.disk.at(world.node));
  }
  auto before = world.disk.listing();
  world.open(world.disk);
  CHECK(world.disk.listing() == before);
  // One under a node's own name is not told from a node that was left.
  world.disk.put("node-7", world.disk.at(world.node));
  world.open(world.disk);
  CHECK(world.disk.listing() == before);
}

TEST_CASE("R02 a damaged copy costs nothing where the disk is full") {
  DamageWorld world;
  for (auto& file : world.files()) {
    INFO(file);
    TestDisk disk = world.disk;
    disk.at(file)[0] ^= 1;
    auto whole = disk.listing();
    auto files = kj::heap<TestKeyFiles>(disk);
    auto& faults = *files;
    faults.failAt(1, TestKeyFiles::Fault::DISK_FULL);
    auto tree = openKeyTree(kj::mv(files), world.protector());
    CHECK(faults.hasFired());
    CHECK(world.contentOf(*tree) == world.content);
    CHECK(disk.listing() == whole);
    faults.heal();
    create(*tree, "dave");
    CHECK(world.contentOf(disk).size() == world.content.size() + 1);
  }
}

TEST_CASE("E03 a key in a node that cannot be read is not said to be destroyed") {
  DamageWorld world;
  auto disk = world.with(world.node, Bytes(100));
  auto tree = world.open(disk);
  auto failure = failureOf([&]() { destroy(*tree, "bob"); });
  CHECK(says(failure, "/test/node-3 is refused"));
  CHECK(says(failure, ".lost"));
  // Others that wait with it are.
  auto kept = destruction("bob"), gone = destruction("alice");
  KeyChange* together[] = {&kept, &gone};
  tree->apply(together);
  CHECK(kept.failure != nullptr);
  CHECK(gone.failure == nullptr);
  CHECK(world.contentOf(*tree).empty());
}

TEST_CASE("a key of an id whose node cannot be read is made in another node, and destroyed there") {
  DamageWorld world;
  auto damaged = Bytes(100);
  auto disk = world.with(world.node, damaged);
  auto tree = world.open(disk);
  auto id = kj::str(world.beside, "");
  create(*tree, id);
  CHECK(tree->open(id).bytes().size() == KEY_BYTES);
  CHECK(disk.at(world.node) == damaged);
  tree = nullptr;
  tree = world.open(disk);
  CHECK(tree->list().size() == 2);
  destroy(*tree, id);
  CHECK(tree->list().size() == 1);
  CHECK(disk.at(world.node) == damaged);
}

TEST_CASE("E03 a node that is given up is destroyed with all its keys, and nothing else is") {
  DamageWorld world;
  auto disk = world.with(world.node, Bytes(100));
  disk.put(world.node + ".lost", {});
  auto tree = world.open(disk);
  CHECK(world.contentOf(*tree) == world.withoutNode());
  CHECK(says(failureOf([&]() { tree->open("bob"); }), "there is no key of this id"));
  destroy(*tree, "bob");
  CHECK_FALSE(disk.has(world.node));
  CHECK_FALSE(disk.has(world.node + ".lost"));
  auto& master = disk.at("master");
  auto masters = mastersOf(kj::arrayPtr(master.data(), master.size()), world.protector());
  CHECK(masters.size() == 1);
  CHECK_FALSE(opensKey(masters, disk.written, "bob"));
  CHECK(opensKey(masters, disk.written, "alice"));
}

TEST_CASE("a node that can be read is not given up") {
  DamageWorld world;
  TestDisk disk = world.disk;
  disk.put(world.node + ".lost", {});
  CHECK(world.contentOf(*world.open(disk)) == world.content);
  CHECK_FALSE(disk.has(world.node + ".lost"));
}

TEST_CASE("a wrong key file opens nothing, is named, and changes nothing") {
  DamageWorld world;
  Protector other({ProtectorSetting::Kind::KEY_FILE, world.directory.at("other"),
                   ProtectorSetting::IfMissing::CREATE});
  other.make();
  auto before = world.disk.listing();
  auto failure =
      failureOf([&]() { openKeyTree(kj::heap<TestKeyFiles>(world.disk), kj::mv(other)); });
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

TEST_CASE("E05 an older top is refused after a key was destroyed, and opens nothing destroyed") {
  DamageWorld world;
  auto older = world.disk.at("top");
  destroy(*world.open(world.disk), "bob");
  CHECK(says(world.requireRefused("top", older), "it is an older copy"));

  // Nor with its epoch changed to the present one.
  auto& master = world.disk.at("master");
  auto masters = mastersOf(kj::arrayPtr(master.data(), master.size()), world.protector());
  CHECK(masters.size() == 1);
  CHECK_FALSE(opensKey(masters, world.disk.written, "bob"));
  CHECK(opensKey(masters, world.disk.written, "alice"));
  CHECK(opensKey(masters, world.disk.written, world.beside));
  auto& top = world.disk.at("top");
  for (size_t copy : {size_t(0), older.size() / 2}) {
    older[copy + CONTENT_HEADER_BYTES] = top[CONTENT_HEADER_BYTES];
  }
  CHECK(says(world.requireRefused("top", older), "its seal"));
}

}  // namespace
}  // namespace bothy
