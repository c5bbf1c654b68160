#include "bench/fsync-samples.h"

#include <kj/debug.h>

#include <cstdint>

namespace bothy {
namespace {

constexpr double NANOS_PER_MILLI = 1e6;

// The number behind `word` and a space, if the line is that.
kj::Maybe<uint64_t> numberAfter(kj::StringPtr word, kj::StringPtr line) {
  if (!line.startsWith(word) || line.size() <= word.size() || line[word.size()] != ' ')
    return nullptr;
  return line.slice(word.size() + 1).tryParseAs<uint64_t>();
}

}  // namespace

bool FsyncSamples::take(kj::StringPtr line) {
  KJ_REQUIRE(!line.startsWith("failed: "), "the measuring guest failed", line);
  KJ_IF_MAYBE (nanos, numberAfter(PLAIN_SERIAL, line)) plain.add(*nanos / NANOS_PER_MILLI);
  KJ_IF_MAYBE (nanos, numberAfter(ENCRYPTED_SERIAL, line)) encrypted.add(*nanos / NANOS_PER_MILLI);
  KJ_IF_MAYBE (count, numberAfter("end", line)) {
    KJ_REQUIRE(*count > 0 && plain.size() == *count && encrypted.size() == *count,
               "samples were lost on the guest's console", *count, plain.size(), encrypted.size());
    return false;
  }
  return true;
}

}  // namespace bothy
