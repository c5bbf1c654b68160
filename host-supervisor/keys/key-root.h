#pragma once

#include <stdint.h>

#include <kj/array.h>
#include <kj/exception.h>
#include <kj/string.h>

#include "secret/secret.h"

namespace bothy {

// More is not kept of a wrapped key, whatever makes it.
constexpr size_t MAX_ROOT_WRAPPED_BYTES = 1024;

// What the key tree hangs from: a key for each epoch, which never leaves the root, and whose destruction is
// the erasure.  What it does is durable when the call returns.  Each call may block.
class KeyRoot {
public:
  // The epochs whose keys exist, ascending: none before the first, two where a change was broken off.
  // Reads what is there, and changes nothing.  Throws if that cannot be used, naming it.
  virtual kj::Array<uint64_t> epochs() = 0;

  // Makes the key of an epoch that follows all others.
  virtual void make(uint64_t epoch) = 0;

  // Wraps a key under that of the epoch, at most MAX_ROOT_WRAPPED_BYTES.  Whoever unwraps knows `context`.
  virtual kj::Array<kj::byte> wrap(uint64_t epoch, const Secret& key,
                                   kj::ArrayPtr<const kj::byte> context) = 0;
  // False if it was not wrapped in this epoch with this context; `key` is then zeros.
  virtual bool unwrap(uint64_t epoch, kj::ArrayPtr<const kj::byte> wrapped,
                      kj::ArrayPtr<const kj::byte> context, Secret& key) = 0;

  struct Failure {
    kj::Exception cause;
    // Whether the keys of all epochs are as before, durably.  If not, nobody knows.
    bool isKept;
  };
  // Destroys the keys of all epochs but this one, with all that a call left which was broken off.
  virtual kj::Maybe<Failure> tryKeepOnly(uint64_t epoch) = 0;

  // For messages: where it is.
  virtual kj::String describe() const = 0;
};

}  // namespace bothy
