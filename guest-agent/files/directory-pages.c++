#include "files/directory-pages.h"

#include <errno.h>
#include <fcntl.h>

#include "files/directory-entry.h"

namespace bothy {

FileResult<DirectoryPages::Page> DirectoryPages::read(const FilePath& path, uint64_t cursor,
                                                      uint32_t limit) {
  kj::AutoCloseFd fd;
  if (cursor != 0) {
    for (size_t i = 0; i < open.size(); i++) {
      if (open[i].cursor != cursor || open[i].path != path.string()) continue;
      fd = kj::mv(open[i].fd);
      for (; i + 1 < open.size(); i++) open[i] = kj::mv(open[i + 1]);
      open.removeLast();
      break;
    }
  }
  if (fd.get() < 0) {
    auto opened = root.open(path, O_RDONLY | O_DIRECTORY);
    if (opened.is<FileProblem>()) return kj::mv(opened.get<FileProblem>());
    fd = kj::mv(opened.get<kj::AutoCloseFd>());
  }
  if (lseek(fd.get(), static_cast<off_t>(cursor), SEEK_SET) < 0) {
    return FileProblem::fromErrno(errno);
  }

  Page page;
  uint64_t position = cursor;
  auto buffer = kj::heapArray<kj::byte>(DIRECTORY_BUFFER_BYTES);
  while (page.entries.size() < limit) {
    long size = readDirectory(fd.get(), buffer);
    if (size < 0) return FileProblem::fromErrno(errno);
    if (size == 0) return kj::mv(page);
    for (long at = 0; at < size && page.entries.size() < limit;) {
      auto& entry = *reinterpret_cast<const DirectoryEntry*>(buffer.begin() + at);
      at += entry.bytes;
      position = static_cast<uint64_t>(entry.nextOffset);
      if (entry.isDotOrDotDot()) continue;
      auto details = FileDetails::read(fd.get(), entry.name);
      if (details.is<FileDetails>()) {
        page.entries.add(kj::mv(details.get<FileDetails>()));
      } else if (details.get<FileProblem>().reason != FileProblem::Reason::NOT_FOUND) {
        // Listing needs less of a right than looking at an entry: the name is there all the same.
        FileDetails nameOnly;
        nameOnly.name = kj::str(entry.name);
        page.entries.add(kj::mv(nameOnly));
      }
    }
  }
  page.nextCursor = position;
  if (open.size() >= MAX_OPEN_LISTINGS) {
    for (size_t i = 0; i + 1 < open.size(); i++) open[i] = kj::mv(open[i + 1]);
    open.removeLast();
  }
  open.add(Listing{kj::str(path.string()), position, kj::mv(fd)});
  return kj::mv(page);
}

}  // namespace bothy
