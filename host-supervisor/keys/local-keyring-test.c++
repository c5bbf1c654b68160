#include "keys/local-keyring.h"

#include <fcntl.h>
#include <unistd.h>

#include <kj/mutex.h>
#include <kj/timer.h>

#include "keys/disk-key-files.h"
#include "keys/test-keyring.h"

namespace bothy {
namespace {

struct DiskWorld: KeyringWorld {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};

  kj::String path() const { return directory.at("keys"); }

  // As bothyd opens it by default.
  kj::Own<KeyKeeper> open() {
    return openLocalKeyring(timer, path(), defaultProtector(directory.path));
  }
  Content contentOf(KeyKeeper& keeper) {
    Content content;
    for (auto& id : keeper.list().wait(scope)) {
      content[id.cStr()] = bytesOf(keeper.open(id).wait(scope).bytes());
    }
    return content;
  }
  Bytes read(kj::StringPtr name) {
    auto content = directory.read(kj::str("keys/", name));
    return bytesOf(content.asBytes());
  }
  kj::Vector<kj::String> names() const {
    kj::Vector<kj::String> result;
    for (auto& entry : std::filesystem::directory_iterator(path().cStr())) {
      result.add(kj::str(entry.path().filename().c_str()));
    }
    return result;
  }
};

bool holdsKey(const Bytes& content, const Bytes& key) {
  Secret secret(KEY_BYTES);
  memcpy(secret.bytes().begin(), key.data(), key.size());
  return contains(content, secret.bytes()) || contains(content, hexadecimal(secret).bytes());
}

// Files that stand still while somebody holds the gate.
class GatedKeyFiles final: public KeyFiles {
public:
  struct Gate {
    struct State {
      bool isShut = false;
      bool isWaitedAt = false;
    };
    kj::MutexGuarded<State> state;

    void pass() const {
      state.lockExclusive()->isWaitedAt = true;
      state.when([](const State& state) { return !state.isShut; }, [](State&) {});
    }
    void awaitCaller() const {
      state.when([](const State& state) { return state.isWaitedAt; }, [](State&) {});
    }
  };

  GatedKeyFiles(TestDisk& disk, const Gate& gate) : inner(disk), gate(gate) {}

  kj::Maybe<kj::Array<kj::byte>> read(kj::StringPtr name, size_t maxBytes) override {
    return inner.read(name, maxBytes);
  }
  void write(kj::StringPtr name, kj::ArrayPtr<const kj::byte> content) override {
    gate.pass();
    inner.write(name, content);
  }
  void wipe(kj::StringPtr name) override { inner.wipe(name); }
  bool link(kj::StringPtr from, kj::StringPtr to) override { return inner.link(from, to); }
  void rename(kj::StringPtr from, kj::StringPtr to) override { inner.rename(from, to); }
  void remove(kj::StringPtr name) override { inner.remove(name); }
  void syncDirectory() override { inner.syncDirectory(); }
  kj::Array<kj::String> list() override { return inner.list(); }
  bool isSameFile(kj::StringPtr one, kj::StringPtr other) override {
    return inner.isSameFile(one, other);
  }
  kj::String path(kj::StringPtr name) const override { return inner.path(name); }

private:
  TestKeyFiles inner;
  const Gate& gate;
};

struct GatedWorld: DiskWorld {
  TestDisk disk;
  GatedKeyFiles::Gate gate;
  kj::Own<KeyKeeper> keeper =
      openLocalKeyring(timer, kj::heap<GatedKeyFiles>(disk, gate), protector());

  void shut() { *gate.state.lockExclusive() = {true, false}; }
  void open() { gate.state.lockExclusive()->isShut = false; }
  uint64_t epoch() const {
    auto& top = disk.at("top");
    return TopFile::decode(kj::arrayPtr(top.data(), top.size()), "top").epoch;
  }
};

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

TEST_CASE("changes that do not wait for each other are made in their order, and reads see them") {
  DiskWorld world;
  auto keeper = world.open();
  auto created = keeper->create("alice"), destroyed = keeper->destroy("alice");
  auto again = keeper->create("bob"), gone = keeper->destroy("bob"), last = keeper->create("bob");
  auto opened = keeper->open("bob");
  auto listed = keeper->list();
  CHECK(listed.wait(world.scope).size() == 1);
  CHECK(opened.wait(world.scope).bytes().size() == KEY_BYTES);
}

TEST_CASE(
    "a disk that stands still does not stop the event loop, and a deadline reaches the call") {
  GatedWorld world;
  world.shut();
  auto created = world.keeper->create("alice");
  auto listed = world.keeper->list();
  world.gate.awaitCaller();
  CHECK_FALSE(created.poll(world.scope));
  world.timer.advanceTo(world.timer.now() + KEYRING_CALL_LIMIT);
  auto failure = failureOf([&]() { created.wait(world.scope); });
  CHECK(failure.getType() == kj::Exception::Type::OVERLOADED);
  CHECK(says(failure, "the keyring did not answer within 45 s: create alice"));
  failureOf([&]() { listed.wait(world.scope); });
  // What had begun goes on to its end.
  world.open();
  CHECK(world.keeper->list().wait(world.scope).size() == 1);
}

TEST_CASE("E05 destructions that wait together are one change of the epoch, and each is done") {
  constexpr size_t COUNT = 20;
  GatedWorld world;
  for (size_t i = 0; i < COUNT; ++i) world.keeper->create(kj::str("key-", i)).wait(world.scope);
  auto before = world.epoch();
  world.shut();
  kj::Vector<kj::Promise<void>> promises;
  for (size_t i = 0; i < COUNT; ++i) promises.add(world.keeper->destroy(kj::str("key-", i)));
  world.open();
  kj::joinPromises(promises.releaseAsArray()).wait(world.scope);
  CHECK(world.keeper->list().wait(world.scope).size() == 0);
  // The first may have begun before the others were there.
  CHECK(world.epoch() > before);
  CHECK(world.epoch() <= before + 2);
  auto& master = world.disk.at("master");
  auto masters = mastersOf(kj::arrayPtr(master.data(), master.size()), world.protector());
  CHECK(masters.size() == 1);
  for (size_t i = 0; i < COUNT; ++i) {
    CHECK_FALSE(opensKey(masters, world.disk.written, kj::str("key-", i)));
  }
}

TEST_CASE("a change whose promise is dropped before it begins is not made") {
  GatedWorld world;
  world.shut();
  auto first = world.keeper->create("first");
  world.gate.awaitCaller();
  auto second = world.keeper->create("second");
  auto third = world.keeper->create("third");
  {
    auto dropped = kj::mv(second);
  }
  world.open();
  third.wait(world.scope);
  auto content = world.contentOf(*world.keeper);
  CHECK(content.size() == 2);
  CHECK(content.count("second") == 0);
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
  auto names = world.names();
  for (auto& name : names) {
    auto content = world.read(name);
    for (auto& key : keys) CHECK_FALSE(holdsKey(content, key));
  }
  // The protector is here by default, the master, the top, and two nodes.
  CHECK(names.size() == 5);
}

TEST_CASE("E03 the files that a destroyed key lay in are overwritten on the disk") {
  DiskWorld world;
  auto keeper = world.open();
  auto beside = idBeside("alice");
  for (kj::StringPtr id : {"alice"_kj, kj::StringPtr(beside)}) keeper->create(id).wait(world.scope);
  std::vector<kj::AutoCloseFd> held;
  std::vector<size_t> sizes;
  for (auto name : {"keys/master"_kj, "keys/top"_kj, "keys/node-2"_kj}) {
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

TEST_CASE("E05 the files of a tree from a backup bring no destroyed key back") {
  DiskWorld world;
  auto keeper = world.open();
  auto beside = idBeside("alice");
  for (kj::StringPtr id : {"alice"_kj, kj::StringPtr(beside)}) keeper->create(id).wait(world.scope);
  auto top = world.directory.read("keys/top"), node = world.directory.read("keys/node-2");
  keeper->destroy("alice").wait(world.scope);
  keeper = nullptr;
  auto present = world.directory.read("keys/top");
  world.directory.write("keys/node-2", node);
  world.directory.write("keys/top", top);
  CHECK(says(failureOf([&]() { world.open(); }), "it is an older copy"));
  world.directory.write("keys/top", present);
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
  auto tree = openKeyTree(kj::heap<TestKeyFiles>(disk), protector({MIN_SCRYPT_LOG2_N}));
  create(*tree, "alice");
  create(*tree, "bob");
  destroy(*tree, "bob");
  auto content = KeyringWorld::contentOf(*tree);
  tree = openKeyTree(kj::heap<TestKeyFiles>(disk), protector({}));
  CHECK(KeyringWorld::contentOf(*tree) == content);

  world.directory.write("passphrase", "correct mule\n");
  CHECK(says(failureOf([&]() { openKeyTree(kj::heap<TestKeyFiles>(disk), protector({})); }),
             "does not open this keyring"));
  CHECK(says(failureOf([&]() { world.KeyringWorld::open(disk); }), "was made with a passphrase"));
}

TEST_CASE(
    "what was left of a change is settled, and files that vanish meanwhile are not made again") {
  KeyringWorld world;
  TestDisk disk;
  auto files = kj::heap<TestKeyFiles>(disk);
  auto& faults = *files;
  auto tree = openKeyTree(kj::mv(files), world.protector());
  create(*tree, "alice");
  faults.failAt(1, TestKeyFiles::Fault::ERROR);
  failureOf([&]() { create(*tree, "bob"); });
  auto saved = disk;
  disk.names.clear();
  CHECK(says(failureOf([&]() { create(*tree, "bob"); }), "restore it"));
  CHECK(disk.names.empty());
  disk = saved;
  create(*tree, "bob");
  CHECK(world.contentOf(*tree).size() == 2);
}

TEST_CASE("a slot of more keys than a node takes has several, and a change touches one") {
  KeyringWorld world;
  TestDisk disk;
  auto tree = world.open(disk);
  std::vector<KeyChange> changes;
  for (uint i = 0; changes.size() <= MAX_NODE_KEYS; ++i) {
    auto id = kj::str("id-", i);
    if (slotOf(id) == 3) changes.push_back(creation(id));
  }
  auto pointers = KJ_MAP(change, changes) {
    return &change;
  };
  tree->apply(pointers);
  CHECK(tree->list().size() == MAX_NODE_KEYS + 1);
  CHECK(disk.names.size() == 4);
  auto content = world.contentOf(*tree);
  auto other = disk.at("node-2");
  auto gone = kj::str(changes[0].id);
  destroy(*tree, gone);
  CHECK(disk.at("node-2") == other);
  CHECK(disk.has("node-3"));
  tree = nullptr;
  content.erase(gone.cStr());
  CHECK(world.contentOf(disk) == content);
}

TEST_CASE("a keyring that is full is OVERLOADED, and goes on") {
  KeyringWorld world;
  TestDisk disk;
  auto tree = world.open(disk);
  {
    std::vector<KeyChange> changes;
    changes.reserve(MAX_KEYS);
    for (uint i = 0; i < MAX_KEYS; ++i) changes.push_back(creation(kj::str("id-", i)));
    auto pointers = KJ_MAP(change, changes) {
      return &change;
    };
    tree->apply(pointers);
  }
  REQUIRE(tree->list().size() == MAX_KEYS);
  auto failure = failureOf([&]() { create(*tree, "one-more"); });
  CHECK(failure.getType() == kj::Exception::Type::OVERLOADED);
  CHECK(says(failure, "the keyring is full"));
  create(*tree, "id-5");
  destroy(*tree, "id-6");
  create(*tree, "one-more");
  tree = nullptr;
  CHECK(world.open(disk)->list().size() == MAX_KEYS);
}

}  // namespace
}  // namespace bothy
