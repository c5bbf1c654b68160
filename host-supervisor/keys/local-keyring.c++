#include "keys/local-keyring.h"

#include <kj/async.h>
#include <kj/debug.h>

#include "keys/disk-key-files.h"
#include "keys/file-content.h"
#include "keys/file-replacer.h"
#include "keys/keyring-file.h"

namespace bothy {
namespace {

void requireId(kj::StringPtr id) {
  KJ_REQUIRE(isKeyId(id), "a key's id is 1 to 63 of [a-z0-9-]", id);
}

class LocalKeyring final: public KeyKeeper {
public:
  LocalKeyring(kj::Own<KeyFiles> files, Protector protector)
      : files(kj::mv(files)),
        replacer(*this->files),
        protector(kj::mv(protector)),
        state(openOrMake()) {}

  // Coroutines run until they wait, and none of these waits.
  kj::Promise<void> create(kj::StringPtr id) override {
    createNow(id);
    co_return;
  }
  kj::Promise<Secret> open(kj::StringPtr id) override { co_return openNow(id); }
  kj::Promise<void> destroy(kj::StringPtr id) override {
    destroyNow(id);
    co_return;
  }
  kj::Promise<kj::Array<kj::String>> list() override {
    co_return KJ_MAP(entry, state.keyring.keys) {
      return kj::heapString(entry.key);
    };
  }

private:
  // What the files say.
  struct State {
    KeyDerivation derivation;
    MasterGeneration generation;
    Secret master;
    KeyringFile keyring;
  };

  kj::Own<KeyFiles> files;
  FileReplacer replacer;
  Protector protector;
  // What masters are wrapped under; made once, because scrypt is slow.
  kj::Maybe<Secret> protectorKey;
  State state;
  // False from the begin of a change to its good end.  Then the next change first reads the files again and
  // ends what was begun.
  bool isSettled = true;

  State openOrMake();
  State make();
  State load(kj::ArrayPtr<const kj::byte> master, kj::ArrayPtr<const kj::byte> keyring);
  Secret unwrapMaster(const MasterGeneration& generation);
  void settle();

  void createNow(kj::StringPtr id);
  Secret openNow(kj::StringPtr id);
  void destroyNow(kj::StringPtr id);

  State newGeneration(kj::StringPtr without);
  kj::Array<kj::byte> masterContent(const State& state,
                                    kj::ArrayPtr<const MasterGeneration> generations);
  void discardOldMaster();
  void discardOldKeyring();
};

LocalKeyring::State LocalKeyring::openOrMake() {
  auto master = files->read(MASTER_FILE, MAX_MASTER_FILE_BYTES);
  auto keyring = files->read(KEYRING_FILE, MAX_KEYRING_FILE_BYTES);
  KJ_IF_MAYBE (keyringContent, keyring) {
    KJ_IF_MAYBE (masterContent, master) return load(*masterContent, *keyringContent);
    // A keyring is made before its master, so an empty one may stand alone after a crash.
    auto path = files->path(KEYRING_FILE);
    auto content = KeyringFile::decode(*keyringContent, path);
    if (content.keys.size() > 0) {
      refuseFile(path, kj::str("its master is missing and nothing else opens it: restore ",
                               files->path(MASTER_FILE), ", or remove the keyring too"));
    }
  } else if (master != nullptr) {
    refuseFile(files->path(MASTER_FILE), kj::str("its keyring is missing: restore ",
                                                 files->path(KEYRING_FILE), ", or remove both"));
  }
  return make();
}

LocalKeyring::State LocalKeyring::make() {
  replacer.cleanUp(MASTER_FILE);
  replacer.cleanUp(KEYRING_FILE);
  auto made = protector.make();
  auto master = randomKey();
  auto wrapped = KeyWrapper(made.key).wrap(master, masterContext(1));
  protectorKey = kj::mv(made.key);
  State result{made.derivation, {1, wrapped}, kj::mv(master), {}};
  result.keyring.generation = 1;
  replacer.replace(KEYRING_FILE, result.keyring.encode(result.master));
  replacer.replace(MASTER_FILE, masterContent(result, kj::arrayPtr(&result.generation, 1)));
  replacer.discardOld(KEYRING_FILE);
  return result;
}

LocalKeyring::State LocalKeyring::load(kj::ArrayPtr<const kj::byte> masterBytes,
                                       kj::ArrayPtr<const kj::byte> keyringBytes) {
  auto masterPath = files->path(MASTER_FILE);
  auto keyringPath = files->path(KEYRING_FILE);
  auto masters = MasterFile::decode(masterBytes, masterPath);
  auto keyring = KeyringFile::decode(keyringBytes, keyringPath);
  if (protectorKey == nullptr) protectorKey = protector.unlock(masters.derivation);

  // A protector that opens nothing here is told before a keyring that is too old.
  auto master = unwrapMaster(masters.generations.back());
  KJ_IF_MAYBE (generation, masters.find(keyring.generation)) {
    master = unwrapMaster(*generation);
    if (!isSealedBy(master, keyringBytes)) {
      refuseFile(keyringPath, kj::str("its seal is not that of its content under ", masterPath,
                                      ", so it is damaged or belongs to another master"));
    }
    State result{masters.derivation, *generation, kj::mv(master), kj::mv(keyring)};

    // Both are good: only now may anything change.
    replacer.cleanUp(MASTER_FILE);
    replacer.cleanUp(KEYRING_FILE);
    if (masters.generations.size() > 1) {
      replacer.replace(MASTER_FILE, masterContent(result, kj::arrayPtr(generation, 1)));
      replacer.discardOld(MASTER_FILE);
    }
    return result;
  }
  refuseFile(keyringPath, kj::str("it is of generation ", keyring.generation, " and ", masterPath,
                                  " has ", masters.generations.back().number,
                                  ": it is an older copy, whose master is destroyed, or the master "
                                  "is; restore both files of one time"));
}

Secret LocalKeyring::unwrapMaster(const MasterGeneration& generation) {
  Secret master(KEY_BYTES);
  KeyWrapper wrapper(KJ_ASSERT_NONNULL(protectorKey));
  if (!wrapper.unwrap(generation.wrapped, masterContext(generation.number), master)) {
    kj::throwFatalException(KJ_EXCEPTION(
        FAILED,
        kj::str(protector.describe(), " does not open this keyring: ", files->path(MASTER_FILE),
                " was wrapped under another; give back the right one")));
  }
  return master;
}

// Only after a change that failed.
void LocalKeyring::settle() {
  if (isSettled) return;
  auto masterPath = files->path(MASTER_FILE);
  auto keyringPath = files->path(KEYRING_FILE);
  auto master = KJ_REQUIRE_NONNULL(files->read(MASTER_FILE, MAX_MASTER_FILE_BYTES),
                                   "it was removed while bothyd ran: restore it", masterPath);
  auto keyring = KJ_REQUIRE_NONNULL(files->read(KEYRING_FILE, MAX_KEYRING_FILE_BYTES),
                                    "it was removed while bothyd ran: restore it", keyringPath);
  state = load(master, keyring);
  isSettled = true;
}

kj::Array<kj::byte> LocalKeyring::masterContent(const State& state,
                                                kj::ArrayPtr<const MasterGeneration> generations) {
  return MasterFile{state.derivation, kj::heapArray(generations)}.encode();
}

Secret LocalKeyring::openNow(kj::StringPtr id) {
  requireId(id);
  auto& wrapped = KJ_REQUIRE_NONNULL(state.keyring.keys.find(id), "there is no key of this id", id);
  Secret key(KEY_BYTES);
  KJ_REQUIRE(
      KeyWrapper(state.master).unwrap(wrapped, keyContext(state.keyring.generation, id), key),
      "the key of this id is damaged", id);
  return key;
}

void LocalKeyring::createNow(kj::StringPtr id) {
  requireId(id);
  settle();
  auto next = state.keyring.clone();
  auto wrapped = KeyWrapper(state.master).wrap(randomKey(), keyContext(next.generation, id));
  next.keys.upsert(kj::heapString(id), wrapped);
  if (next.keys.size() > MAX_KEYS) {
    kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, "the keyring is full", MAX_KEYS, id));
  }
  auto content = next.encode(state.master);
  isSettled = false;
  replacer.replace(KEYRING_FILE, content);
  state.keyring = kj::mv(next);
  discardOldKeyring();
}

void LocalKeyring::destroyNow(kj::StringPtr id) {
  requireId(id);
  settle();
  if (state.keyring.keys.find(id) == nullptr) return;

  auto next = newGeneration(id);
  auto keyring = next.keyring.encode(next.master);
  MasterGeneration both[] = {state.generation, next.generation};
  auto bothMasters = masterContent(state, both);
  auto newMaster = masterContent(state, kj::arrayPtr(&next.generation, 1));

  isSettled = false;
  // The old keyring counts, and its master stays: a failure leaves a generation too many, no more.
  replacer.replace(MASTER_FILE, bothMasters);
  replacer.discardOld(MASTER_FILE);
  replacer.replace(KEYRING_FILE, keyring);

  // The new keyring counts.
  KJ_IF_MAYBE (failure, replacer.tryReplace(MASTER_FILE, newMaster)) {
    // Where nobody knows which master is there, the new keyring is the one that both open.
    if (failure->left == FileReplacer::Left::OLD) {
      KJ_IF_MAYBE (problem, kj::runCatchingExceptions([&]() { replacer.restore(KEYRING_FILE); })) {
        KJ_LOG(ERROR, "a keyring could not be put back", files->path(KEYRING_FILE), *problem);
      }
    }
    kj::throwFatalException(kj::mv(failure->cause));
  }

  discardOldMaster();
  state = kj::mv(next);
  discardOldKeyring();
}

// The keys but one under a new master.
LocalKeyring::State LocalKeyring::newGeneration(kj::StringPtr without) {
  State next{state.derivation, {state.generation.number + 1, {}}, randomKey(), {}};
  next.generation.wrapped = KeyWrapper(KJ_ASSERT_NONNULL(protectorKey))
                                .wrap(next.master, masterContext(next.generation.number));
  next.keyring.generation = next.generation.number;
  next.keyring.keys.reserve(state.keyring.keys.size());
  KeyWrapper from(state.master);
  KeyWrapper to(next.master);
  Secret scratch(KEY_BYTES);
  for (auto& entry : state.keyring.keys) {
    kj::StringPtr id = entry.key;
    if (id == without) continue;
    KJ_REQUIRE(from.unwrap(entry.value, keyContext(state.keyring.generation, id), scratch),
               "the key of this id is damaged", id);
    next.keyring.keys.insert(kj::heapString(id),
                             to.wrap(scratch, keyContext(next.keyring.generation, id)));
  }
  return next;
}

// There is no way back from here that is safe: it would write the key under a master that lives on.  So it
// is tried again, as one may after a write that failed, and what fails then is ended by the next change.
void LocalKeyring::discardOldMaster() {
  KJ_IF_MAYBE (problem, kj::runCatchingExceptions([&]() { replacer.discardOld(MASTER_FILE); })) {
    KJ_LOG(WARNING, "an old master could not be overwritten and is tried again",
           files->path(MASTER_FILE), *problem);
    replacer.discardOld(MASTER_FILE);
  }
}

// It opens nothing that is not in the new one, but for what create() replaced; so this may wait.
void LocalKeyring::discardOldKeyring() {
  KJ_IF_MAYBE (problem, kj::runCatchingExceptions([&]() { replacer.discardOld(KEYRING_FILE); })) {
    KJ_LOG(WARNING, "an old keyring stays until the next change", files->path(KEYRING_FILE),
           *problem);
  } else {
    isSettled = true;
  }
}

}  // namespace

kj::Own<KeyKeeper> openLocalKeyring(kj::StringPtr directory, ProtectorSetting protector) {
  return openLocalKeyring(kj::heap<DiskKeyFiles>(directory), Protector(kj::mv(protector)));
}

kj::Own<KeyKeeper> openLocalKeyring(kj::Own<KeyFiles> files, Protector protector) {
  return kj::heap<LocalKeyring>(kj::mv(files), kj::mv(protector));
}

}  // namespace bothy
