#pragma once

#include <sys/stat.h>

#include <kj/string.h>
#include <kj/time.h>

#include "process/text-file.h"

namespace bothy {

// A small text file (see text-file.h) that is asked for often and changes seldom.  To open and read one costs a good
// part of a first call under TCG; to look at it costs a quarter of that.
//
// Every change is seen, by what stat(2) tells.  The time of a change goes in ticks of the kernel, so a file that changed
// less than `settling` before it was read is read again.
class CachedTextFile final {
public:
  explicit CachedTextFile(kj::String path, kj::Duration settling = 1 * kj::SECONDS)
      : path(kj::mv(path)), settling(settling) {}
  KJ_DISALLOW_COPY_AND_MOVE(CachedTextFile);

  // As readTextFile().  Valid until the next call.
  kj::StringPtr text();

private:
  const kj::String path;
  const kj::Duration settling;
  kj::String kept;
  // As it was before `kept` was read; none: `kept` says nothing of later.
  kj::Maybe<struct stat> state;
};

}  // namespace bothy
