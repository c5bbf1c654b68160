#pragma once

#include <sys/stat.h>

#include <kj/string.h>

namespace bothy {

// A small text file (see text-file.h) that is asked for often and changes seldom.  To open and read one costs a good
// part of a first call under TCG; to look at it costs a quarter of that.
//
// Every change is seen that stat(2) tells of: all but those by a mapping that was not written back.  The time of a change goes in ticks of the kernel, so a file that changed
// less than `settlingSeconds` before it was read is read again.
class CachedTextFile final {
public:
  static constexpr time_t SETTLING_SECONDS = 2;
  explicit CachedTextFile(kj::String path, time_t settlingSeconds = SETTLING_SECONDS)
      : path(kj::mv(path)), settlingSeconds(settlingSeconds) {}
  KJ_DISALLOW_COPY_AND_MOVE(CachedTextFile);

  // As readTextFile().  Valid until the next call.
  kj::StringPtr text();

private:
  const kj::String path;
  const time_t settlingSeconds;
  kj::String kept;
  // As it was before `kept` was read; none: `kept` says nothing of later.
  kj::Maybe<struct stat> state;
};

}  // namespace bothy
