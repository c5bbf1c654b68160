#pragma once

#include <kj/array.h>
#include <kj/io.h>
#include <kj/string.h>

namespace bothy {

// The log of actions on disk: `host-actions.jsonl` in a directory, and before it `host-actions.jsonl.1`, each at most half of so many bytes.
// Everybody may read them.  Root of the machine may do anything to either: whatever is no file is removed, and each append opens anew.
class ActionFile final {
public:
  // `directory` is made where it is missing.
  ActionFile(kj::String directory, uint64_t maxBytes);

  // Whole lines.  False: none of them is written.
  bool append(kj::ArrayPtr<const kj::byte> lines);

private:
  const kj::String directory;
  const uint64_t maxFileBytes;

  kj::Maybe<kj::AutoCloseFd> openDirectory() const;
};

constexpr kj::StringPtr ACTION_FILE = "host-actions.jsonl"_kj;
constexpr kj::StringPtr EARLIER_ACTION_FILE = "host-actions.jsonl.1"_kj;

}  // namespace bothy
