#pragma once

#include <stdint.h>

#include <kj/string.h>

namespace bothy {

// How much of the local disk a copy out of a workspace, which is not trusted, may take.
struct SpaceLimit {
  uint64_t bytes;
  bool isGiven;  // by the user

  // What the user gave; else what leaves some of the file system of `directory` free.
  static SpaceLimit of(int directory, kj::Maybe<uint64_t> given);

  // What to tell of a copy that has more.
  kj::String describe() const;
};

}  // namespace bothy
