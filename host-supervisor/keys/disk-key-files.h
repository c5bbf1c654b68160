#pragma once

#include <kj/io.h>

#include "keys/key-files.h"

namespace bothy {

// A directory of the host, 0700 and locked against a second keyring on it as long as this lives.
class DiskKeyFiles final: public KeyFiles {
public:
  // Made if there is none; its parent exists.  Refuses one that belongs to somebody else.
  explicit DiskKeyFiles(kj::StringPtr directory);

  kj::Maybe<kj::Array<kj::byte>> read(kj::StringPtr name, size_t maxBytes) override;
  void write(kj::StringPtr name, kj::ArrayPtr<const kj::byte> content) override;
  void wipe(kj::StringPtr name) override;
  bool link(kj::StringPtr from, kj::StringPtr to) override;
  void rename(kj::StringPtr from, kj::StringPtr to) override;
  void remove(kj::StringPtr name) override;
  void syncDirectory() override;
  kj::Array<kj::String> list() override;
  bool isSameFile(kj::StringPtr one, kj::StringPtr other) override;
  kj::String path(kj::StringPtr name) const override;

private:
  kj::String directory;
  kj::AutoCloseFd directoryFd;
};

}  // namespace bothy
