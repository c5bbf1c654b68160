#include "keys/file-key-root.h"

#include <string.h>

#include <kj/debug.h>

#include "keys/byte-layout.h"
#include "keys/file-content.h"
#include "keys/twin-content.h"

namespace bothy {

FileKeyRoot::FileKeyRoot(KeyFiles& files, Protector protector)
    : files(files), replacer(files), protector(kj::mv(protector)) {}

kj::Array<uint64_t> FileKeyRoot::epochs() {
  isTidy = false;
  master = nullptr;
  auto path = files.path(MASTER_FILE);
  KJ_IF_MAYBE (content, files.read(MASTER_FILE, MAX_MASTER_FILE_BYTES)) {
    auto read = readTwin<MasterFile>(*content, [&](kj::ArrayPtr<const kj::byte> copy) {
      return MasterFile::decode(copy, path);
    });
    isDamaged = read.damage != nullptr && !read.value.isOld;
    if (isDamaged) KJ_LOG(WARNING, "a copy within a file of the keyring is damaged", path);
    if (protectorKey == nullptr) protectorKey = protector.unlock(read.value.derivation);
    auto epochs = KJ_MAP(generation, read.value.generations) {
      return generation.number;
    };
    master = kj::mv(read.value);
    // A wrong protector is told before all else.
    keyOf(epochs.back());
    return epochs;
  }
  return nullptr;
}

Secret FileKeyRoot::keyOf(uint64_t epoch) {
  auto& file = KJ_REQUIRE_NONNULL(master, "there is no epoch yet");
  auto& generation = KJ_REQUIRE_NONNULL(file.find(epoch), "there is no key of this epoch", epoch);
  Secret key(KEY_BYTES);
  KeyWrapper wrapper(KJ_ASSERT_NONNULL(protectorKey));
  if (!wrapper.unwrap(generation.wrapped, masterContext(epoch), key)) {
    kj::throwFatalException(KJ_EXCEPTION(
        FAILED,
        kj::str(protector.describe(), " does not open this keyring: ", files.path(MASTER_FILE),
                " was wrapped under another; give back the right one")));
  }
  return key;
}

MasterGeneration FileKeyRoot::newGeneration(uint64_t number) {
  KeyWrapper wrapper(KJ_ASSERT_NONNULL(protectorKey));
  return {number, wrapper.wrap(randomKey(), masterContext(number))};
}

void FileKeyRoot::make(uint64_t epoch) {
  MasterFile next;
  KJ_IF_MAYBE (present, master) {
    KJ_REQUIRE(present->generations.size() < MAX_GENERATIONS);
    next.derivation = present->derivation;
    auto generations = kj::heapArrayBuilder<MasterGeneration>(present->generations.size() + 1);
    generations.addAll(present->generations);
    generations.add(newGeneration(epoch));
    next.generations = generations.finish();
  } else {
    replacer.cleanUp(MASTER_FILE);
    auto made = protector.make();
    protectorKey = kj::mv(made.key);
    next.derivation = made.derivation;
    auto generation = newGeneration(epoch);
    next.generations = kj::heapArray(&generation, 1);
  }
  replacer.replace(MASTER_FILE, twinOf(next.encode()));
  master = kj::mv(next);
  replacer.discardOld(MASTER_FILE);
}

kj::Array<kj::byte> FileKeyRoot::wrap(uint64_t epoch, const Secret& key,
                                      kj::ArrayPtr<const kj::byte> context) {
  auto outer = keyOf(epoch);
  auto wrapped = KeyWrapper(outer).wrap(key, context);
  return kj::heapArray(asBytes(wrapped));
}

bool FileKeyRoot::unwrap(uint64_t epoch, kj::ArrayPtr<const kj::byte> wrapped,
                         kj::ArrayPtr<const kj::byte> context, Secret& key) {
  if (wrapped.size() != sizeof(WrappedKey)) return false;
  WrappedKey copy;
  memcpy(&copy, wrapped.begin(), sizeof(copy));
  auto outer = keyOf(epoch);
  return KeyWrapper(outer).unwrap(copy, context, key);
}

kj::Maybe<KeyRoot::Failure> FileKeyRoot::tryKeepOnly(uint64_t epoch) {
  auto& present = KJ_REQUIRE_NONNULL(master, "there is no epoch yet");
  auto& kept = KJ_REQUIRE_NONNULL(present.find(epoch), "there is no key of this epoch", epoch);
  if (!isTidy) {
    KJ_IF_MAYBE (cause, kj::runCatchingExceptions([&]() { replacer.cleanUp(MASTER_FILE); })) {
      return Failure{kj::mv(*cause), true};
    }
    isTidy = true;
  }
  if (present.generations.size() == 1 && !isDamaged) return nullptr;

  MasterFile next{present.derivation, kj::heapArray(&kept, 1)};
  KJ_IF_MAYBE (failure, replacer.tryReplace(MASTER_FILE, twinOf(next.encode()))) {
    if (present.generations.size() == 1) {
      // Nothing was to be destroyed: the whole copy is enough until the next call.
      KJ_LOG(ERROR, "damage of the keyring could not be mended", files.path(MASTER_FILE),
             failure->cause);
      isTidy = false;
      return nullptr;
    }
    return Failure{kj::mv(failure->cause), failure->left == FileReplacer::Left::OLD};
  }
  master = kj::mv(next);
  isDamaged = false;
  // There is no way back from here that is safe: it would name the old keys again.  So it is tried again, as
  // one may after a write that failed; what fails then is ended by the next call.
  KJ_IF_MAYBE (problem, kj::runCatchingExceptions([&]() { replacer.discardOld(MASTER_FILE); })) {
    KJ_LOG(WARNING, "an old master could not be overwritten and is tried again",
           files.path(MASTER_FILE), *problem);
    KJ_IF_MAYBE (cause, kj::runCatchingExceptions([&]() { replacer.discardOld(MASTER_FILE); })) {
      isTidy = false;
      return Failure{kj::mv(*cause), false};
    }
  }
  return nullptr;
}

}  // namespace bothy
