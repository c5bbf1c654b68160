#pragma once

#include <kj/vector.h>

#include "files/file-details.h"

namespace bothy {

// Lists directories page by page.
//
// A cursor is the file system's own position (d_off of getdents64(2)).  Where positions hold only for
// the descriptor that gave them (overlayfs), a directory that is listed in turn is still the same one:
// the last few stay open until their last page.
class DirectoryPages final {
public:
  explicit DirectoryPages(const WorkspaceRoot& root) : root(root) {}
  KJ_DISALLOW_COPY_AND_MOVE(DirectoryPages);

  struct Page {
    kj::Vector<FileDetails> entries;
    uint64_t nextCursor = 0;  // 0: this was the last
  };
  // `cursor` 0 begins.  At most `limit` entries.
  FileResult<Page> read(const FilePath& path, uint64_t cursor, uint32_t limit);

private:
  struct Listing {
    kj::String path;
    uint64_t cursor;
    kj::AutoCloseFd fd;
  };
  const WorkspaceRoot& root;
  kj::Vector<Listing> open;  // the longest unused first
};

// Listings of one client that stay open between their pages.
constexpr size_t MAX_OPEN_LISTINGS = 8;

}  // namespace bothy
