#pragma once

#include <kj/io.h>
#include <kj/string.h>

#include "secret/secret.h"

namespace bothy {

// The content of a volume's file, which is open.  Calls block.
class VolumeFile final {
public:
  // `path` names it in messages.
  VolumeFile(kj::AutoCloseFd fd, kj::String path) : fd(kj::mv(fd)), path(kj::mv(path)) {}

  int descriptor() const { return fd; }

  // Makes an empty file a volume.  OVERLOADED if the file system takes no file of this size.
  void format(uint64_t guestBytes, const Secret& key) const;

  // Its owner is this user, and nobody else but root can open it.
  void giveTo(uint32_t uid) const;

  // How large the guest's disk is.  Fails unless the file has one name and is whole.
  uint64_t requireWhole() const;

  // Sets that size, durably; takes it back if that fails.
  void resize(uint64_t oldGuestBytes, uint64_t guestBytes) const;

  // Overwrites what opens the volume, durably: first the LUKS header with its key slots, then the image's
  // header.  Looks at nothing in the file, and makes it no longer.
  void wipe() const;

  // Gives all of it back to the host.
  void empty() const;

  // Durable after this.
  void sync() const;

private:
  kj::AutoCloseFd fd;
  kj::String path;

  void write(uint64_t offset, kj::ArrayPtr<const kj::byte> content) const;
  kj::Array<kj::byte> read(uint64_t offset, size_t count) const;
  void overwrite(uint64_t begin, uint64_t end) const;
};

// Fails, for people, with why a volume cannot be used: "it " and `what`.
[[noreturn]] void refuseVolume(kj::StringPtr path, kj::StringPtr what);

}  // namespace bothy
