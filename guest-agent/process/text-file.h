#pragma once

#include <kj/array.h>
#include <kj/string.h>

namespace bothy {

// Small text files: of the image, of /etc, of /proc and /sys.  Root of the workspace may have put
// anything in their place, so reading one never blocks, never opens a device and takes no more memory
// than its limit.

constexpr size_t MAX_TEXT_FILE_BYTES = 1024 * 1024;

// The first `limit` bytes of a regular file.  None: there is no such file, it is something else than a
// file, or it cannot be read.
kj::Maybe<kj::String> findTextFile(kj::StringPtr path, size_t limit = MAX_TEXT_FILE_BYTES);

// The same; empty in place of none.
kj::String readTextFile(kj::StringPtr path);

// Cuts off white space at both ends.
kj::ArrayPtr<const char> trimmed(kj::ArrayPtr<const char> text);

// Walks over the lines of a text, which it borrows.
class Lines final {
public:
  explicit Lines(kj::ArrayPtr<const char> text) : rest(text) {}

  // The next line without its line feed.  None: that was the last one.  What follows the last line feed
  // is a line only if it is not empty.
  kj::Maybe<kj::ArrayPtr<const char>> next();

private:
  kj::ArrayPtr<const char> rest;
};

}  // namespace bothy
