#pragma once

#include "keys/file-replacer.h"
#include "keys/key-root.h"
#include "keys/master-file.h"
#include "keys/protector.h"

namespace bothy {

constexpr kj::StringPtr MASTER_FILE = "master"_kj;

// A root whose keys lie in a file, `master`, under the protector.
class FileKeyRoot final: public KeyRoot {
public:
  FileKeyRoot(KeyFiles& files, Protector protector);

  kj::Array<uint64_t> epochs() override;
  void make(uint64_t epoch) override;
  kj::Array<kj::byte> wrap(uint64_t epoch, const Secret& key,
                           kj::ArrayPtr<const kj::byte> context) override;
  bool unwrap(uint64_t epoch, kj::ArrayPtr<const kj::byte> wrapped,
              kj::ArrayPtr<const kj::byte> context, Secret& key) override;
  kj::Maybe<Failure> tryKeepOnly(uint64_t epoch) override;
  kj::String describe() const override { return files.path(MASTER_FILE); }

private:
  KeyFiles& files;
  FileReplacer replacer;
  Protector protector;
  // What the keys of epochs are wrapped under; made once, because scrypt is slow.
  kj::Maybe<Secret> protectorKey;
  // As the file has it.
  kj::Maybe<MasterFile> master;
  // Whether one of the two copies in the file is damaged.
  bool isDamaged = false;
  // Whether nothing of a broken-off call lies beside the file.
  bool isTidy = false;

  Secret keyOf(uint64_t epoch);
  MasterGeneration newGeneration(uint64_t number);
};

}  // namespace bothy
