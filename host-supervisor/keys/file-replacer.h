#pragma once

#include <kj/exception.h>

#include "keys/key-files.h"

namespace bothy {

// Puts new content in the place of a file so that a crash leaves the old or the new one, and so that the
// old one can be overwritten after a crash too: while it matters it has a name.
//
//   write NAME.new, durably         the old one counts
//   link NAME to NAME.old
//   rename NAME.new to NAME         the new one counts
//   sync the directory
//   wipe NAME.old, remove it        discardOld()
class FileReplacer final {
public:
  explicit FileReplacer(KeyFiles& files) : files(files) {}

  // What is there after a failure: the old content, durably, or nobody knows which.
  enum class Left { OLD, EITHER };
  struct Failure {
    kj::Exception cause;
    Left left;
  };
  // The old one stays as NAME.old.
  kj::Maybe<Failure> tryReplace(kj::StringPtr name, kj::ArrayPtr<const kj::byte> content);
  // The same, throwing the cause.
  void replace(kj::StringPtr name, kj::ArrayPtr<const kj::byte> content);

  // Takes a replacement back that was not discarded; the new content is overwritten.
  void restore(kj::StringPtr name);
  void discardOld(kj::StringPtr name);

  // Overwrites and removes what a crash or a failure left beside `name`.
  void cleanUp(kj::StringPtr name);

private:
  KeyFiles& files;

  void discard(kj::StringPtr name, kj::StringPtr other);
};

}  // namespace bothy
