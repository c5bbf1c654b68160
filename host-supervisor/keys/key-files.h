#pragma once

#include <kj/array.h>
#include <kj/string.h>

namespace bothy {

// The directory of a keyring, in the steps that a crash may fall between.  A name is one of the keyring's
// own constants, never a path.  Each throws OVERLOADED where there is no space, else FAILED.
class KeyFiles {
public:
  // Null if there is none.  Refuses more than `maxBytes`, and what is no regular file.
  virtual kj::Maybe<kj::Array<kj::byte>> read(kj::StringPtr name, size_t maxBytes) = 0;
  // A new file, 0600, with its content durable; its name is not yet.  Fails if there is one.
  virtual void write(kj::StringPtr name, kj::ArrayPtr<const kj::byte> content) = 0;
  // Overwrites a file with zeros, durably.  None is success.
  virtual void wipe(kj::StringPtr name) = 0;

  // A second name for a file.  False if there is no such file.
  virtual bool link(kj::StringPtr from, kj::StringPtr to) = 0;
  // Replaces `to`.
  virtual void rename(kj::StringPtr from, kj::StringPtr to) = 0;
  // None is success.
  virtual void remove(kj::StringPtr name) = 0;
  // Makes the names durable, all that were given before.
  virtual void syncDirectory() = 0;

  // All names, in no order.
  virtual kj::Array<kj::String> list() = 0;
  // Whether both names are there and name one file.
  virtual bool isSameFile(kj::StringPtr one, kj::StringPtr other) = 0;

  // For messages.
  virtual kj::String path(kj::StringPtr name) const = 0;
};

}  // namespace bothy
