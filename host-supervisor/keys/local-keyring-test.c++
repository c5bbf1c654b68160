#include "keys/local-keyring.h"

#include <fcntl.h>
#include <unistd.h>

#include "keys/disk-key-files.h"
#include "keys/test-keyring.h"

namespace bothy {
namespace {

struct DiskWorld: KeyringWorld {
  kj::String path() const { return directory.at("keys"); }

  // As bothyd opens it by default.
  using KeyringWorld::open;
  kj::Own<KeyKeeper> open() { return openLocalKeyring(path(), defaultProtector(directory.path)); }
  Bytes read(kj::StringPtr name) {
    auto content = directory.read(kj::str("keys/", name));
    return bytesOf(content.asBytes());
  }
};

bool holdsKey(const Bytes& content, const Bytes& key) {
  Secret secret(KEY_BYTES);
  memcpy(secret.bytes().begin(), key.data(), key.size());
  return contains(content, secret.bytes()) || contains(content, hexadecimal(secret).bytes());
}

TEST_CASE("keys stay from one opening to the next") {
  DiskWorld world;
  auto keeper = world.open();
  CHECK(keeper->list().wait(world.scope).size() == 0);
  keeper->create("alice").wait(world.scope);
  keeper->create("bob-2").wait(world.scope);
  auto content = world.contentOf(*keeper);
  REQUIRE(content.size() == 2);
  CHECK(content["alice"] != content["bob-2"]);
  CHECK(content["alice"] != Bytes(KEY_BYTES, 0));
  keeper = nullptr;
  CHECK(world.contentOf(*world.open()) == content);
}

TEST_CASE(
    "creating again replaces, destroying again succeeds, and what is not there is not opened") {
  DiskWorld world;
  auto keeper = world.open();
  keeper->create("alice").wait(world.scope);
  auto first = world.contentOf(*keeper);
  keeper->create("alice").wait(world.scope);
  CHECK(world.contentOf(*keeper) != first);
  CHECK(world.contentOf(*keeper).size() == 1);
  for (int i = 0; i < 2; ++i) keeper->destroy("alice").wait(world.scope);
  auto failure = failureOf([&]() { keeper->open("alice").wait(world.scope); });
  CHECK(failure.getType() == kj::Exception::Type::FAILED);
  CHECK(says(failure, "there is no key of this id; id = alice"));
}

TEST_CASE("an id that is none is refused by a promise, not by a throw") {
  DiskWorld world;
  auto keeper = world.open();
  auto longest = kj::str(kj::repeat('a', MAX_KEY_ID_BYTES));
  keeper->create(longest).wait(world.scope);
  for (auto& id : {kj::str(), kj::str(longest, 'a'), kj::str("../alice"), kj::str("Alice"),
                   kj::str("a b"), kj::str("ä")}) {
    auto created = keeper->create(id);
    auto opened = keeper->open(id);
    auto destroyed = keeper->destroy(id);
    CHECK(says(failureOf([&]() { created.wait(world.scope); }), "1 to 63 of [a-z0-9-]"));
    CHECK(says(failureOf([&]() { opened.wait(world.scope); }), "1 to 63 of [a-z0-9-]"));
    CHECK(says(failureOf([&]() { destroyed.wait(world.scope); }), "1 to 63 of [a-z0-9-]"));
  }
  CHECK(keeper->list().wait(world.scope).size() == 1);
}

TEST_CASE("E02 no file of the keyring ever holds a key, raw or in digits") {
  DiskWorld world;
  auto keeper = world.open();
  std::vector<Bytes> keys;
  for (auto id : {"alice"_kj, "bob"_kj, "carol"_kj}) {
    keeper->create(id).wait(world.scope);
    keys.push_back(world.contentOf(*keeper)[id.cStr()]);
  }
  keeper->destroy("bob").wait(world.scope);
  size_t files = 0;
  for (auto& entry : std::filesystem::recursive_directory_iterator(world.path().cStr())) {
    ++files;
    auto content = world.read(entry.path().filename().c_str());
    for (auto& key : keys) CHECK_FALSE(holdsKey(content, key));
  }
  // The protector is here by default.
  CHECK(files == 3);
}

TEST_CASE("E03 the files that a destroyed key lay in are overwritten on the disk") {
  DiskWorld world;
  auto keeper = world.open();
  for (auto id : {"alice"_kj, "bob"_kj}) keeper->create(id).wait(world.scope);
  std::vector<kj::AutoCloseFd> held;
  std::vector<size_t> sizes;
  for (auto name : {"keys/master"_kj, "keys/keyring"_kj}) {
    int fd;
    KJ_SYSCALL(fd = ::open(world.directory.at(name).cStr(), O_RDONLY | O_CLOEXEC));
    held.emplace_back(fd);
    sizes.push_back(world.directory.status(name).st_size);
  }
  keeper->destroy("alice").wait(world.scope);
  for (size_t i = 0; i < held.size(); ++i) {
    Bytes content(sizes[i] + 1);
    REQUIRE(pread(held[i], content.data(), content.size(), 0) == ssize_t(sizes[i]));
    CHECK(content == Bytes(content.size(), 0));
  }
}

TEST_CASE("E05 a keyring restored from a backup brings no destroyed key back") {
  DiskWorld world;
  auto keeper = world.open();
  for (auto id : {"alice"_kj, "bob"_kj}) keeper->create(id).wait(world.scope);
  auto backup = world.directory.read("keys/keyring");
  keeper->destroy("alice").wait(world.scope);
  keeper = nullptr;
  auto present = world.directory.read("keys/keyring");
  world.directory.write("keys/keyring", backup);
  CHECK(says(failureOf([&]() { world.open(); }), "it is an older copy"));
  world.directory.write("keys/keyring", present);
  CHECK(world.contentOf(*world.open()).size() == 1);
}

TEST_CASE("a keyring under a passphrase opens with it alone, and knows its own cost") {
  DiskWorld world;
  world.directory.write("passphrase", "correct horse\n");
  KJ_SYSCALL(chmod(world.directory.at("passphrase").cStr(), 0600));
  auto protector = [&](ScryptCost cost) {
    return Protector({ProtectorSetting::Kind::PASSPHRASE_FILE, world.directory.at("passphrase")},
                     cost);
  };
  TestDisk disk;
  auto keeper = openLocalKeyring(kj::heap<TestKeyFiles>(disk), protector({MIN_SCRYPT_LOG2_N}));
  keeper->create("alice").wait(world.scope);
  keeper->create("bob").wait(world.scope);
  keeper->destroy("bob").wait(world.scope);
  auto content = world.contentOf(*keeper);
  keeper = openLocalKeyring(kj::heap<TestKeyFiles>(disk), protector({}));
  CHECK(world.contentOf(*keeper) == content);

  world.directory.write("passphrase", "correct mule\n");
  CHECK(says(failureOf([&]() { openLocalKeyring(kj::heap<TestKeyFiles>(disk), protector({})); }),
             "does not open this keyring"));
  CHECK(says(failureOf([&]() { world.open(disk); }), "was made with a passphrase"));
}

TEST_CASE(
    "what was left of a change is settled, and files that vanish meanwhile are not made again") {
  KeyringWorld world;
  TestDisk disk;
  auto files = kj::heap<TestKeyFiles>(disk);
  auto& faults = *files;
  auto keeper = openLocalKeyring(kj::mv(files), world.protector());
  keeper->create("alice").wait(world.scope);
  faults.failAt(1, TestKeyFiles::Fault::ERROR);
  failureOf([&]() { keeper->create("bob").wait(world.scope); });
  auto saved = disk;
  disk.names.clear();
  CHECK(says(failureOf([&]() { keeper->create("bob").wait(world.scope); }), "restore it"));
  CHECK(disk.names.empty());
  disk = saved;
  keeper->create("bob").wait(world.scope);
  CHECK(world.contentOf(*keeper).size() == 2);
}

TEST_CASE("a key is made and another destroyed among ten thousand") {
  constexpr size_t COUNT = 10'000;
  DiskWorld world;
  world.open();
  // Ten thousand create() would write the file as often: it is written at once.
  {
    auto master = world.directory.read("keys/master");
    auto masters = mastersOf(master.asBytes(), Protector(defaultProtector(world.directory.path)));
    KeyringFile keyring;
    keyring.generation = 1;
    KeyWrapper wrapper(masters[0]);
    for (size_t i = 0; i < COUNT; ++i) {
      auto id = kj::str("0123456789abcdef0123456789abcdef-", i);
      auto context = keyContext(1, id);
      keyring.keys.insert(kj::mv(id), wrapper.wrap(randomKey(), context));
    }
    auto content = keyring.encode(masters[0]);
    world.directory.write("keys/keyring", "");
    int fd;
    KJ_SYSCALL(fd = ::open(world.directory.at("keys/keyring").cStr(), O_WRONLY | O_CLOEXEC));
    kj::FdOutputStream(kj::AutoCloseFd(fd)).write(content.begin(), content.size());
  }
  auto keeper = world.open();
  REQUIRE(keeper->list().wait(world.scope).size() == COUNT);

  keeper->create("new").wait(world.scope);
  auto key = bytesOf(keeper->open("new").wait(world.scope).bytes());
  keeper->destroy("0123456789abcdef0123456789abcdef-77").wait(world.scope);
  keeper = nullptr;
  keeper = world.open();
  CHECK(keeper->list().wait(world.scope).size() == COUNT);
  CHECK(bytesOf(keeper->open("new").wait(world.scope).bytes()) == key);
}

}  // namespace
}  // namespace bothy
