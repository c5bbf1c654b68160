#include "tree/tree-merge.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/io.h>
#include <kj/vector.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tree/directory-stream.h"

namespace bothy {
namespace {

struct MergeLevel {
  DirectoryStream from;
  kj::AutoCloseFd to;
  kj::String path;
};

FileProblem about(kj::StringPtr path, int errorNumber) {
  auto problem = FileProblem::fromErrno(errorNumber);
  problem.path = kj::str(path);
  return problem;
}

// A directory that is to be emptied.
DirectoryStream openToEmpty(int parentFd, kj::StringPtr name) {
  auto stream = DirectoryStream::open(parentFd, name);
  if (!stream.isOpen() && errno == EACCES) {
    // By its descriptor, for the name may be a symlink by now.
    int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    kj::AutoCloseFd closed(openat(parentFd, name.cStr(), flags));
    if (closed.get() >= 0) chmod(kj::str("/proc/self/fd/", closed.get()).cStr(), S_IRWXU);
    stream = DirectoryStream::open(parentFd, name);
  }
  if (stream.isOpen()) fchmod(stream.fd(), S_IRWXU);
  return stream;
}

}  // namespace

kj::Maybe<FileProblem> mergeTree(int fromFd, int toFd) {
  kj::Vector<MergeLevel> levels;
  levels.add(MergeLevel{DirectoryStream::open(fromFd, "."),
                        kj::AutoCloseFd(fcntl(toFd, F_DUPFD_CLOEXEC, 0)), nullptr});
  if (!levels.back().from.isOpen() || levels.back().to.get() < 0) {
    return FileProblem::fromErrno(errno);
  }
  while (!levels.empty()) {
    auto& level = levels.back();
    auto name = level.from.next();
    if (name == nullptr) {
      if (errno != 0) return about(level.path, errno);
      levels.removeLast();
      continue;
    }
    int from = level.from.fd();
    auto path = level.path == nullptr ? kj::str(name) : kj::str(level.path, '/', name);
    struct stat moved, present;
    if (fstatat(from, name, &moved, AT_SYMLINK_NOFOLLOW) < 0) return about(path, errno);
    bool exists = fstatat(level.to, name, &present, AT_SYMLINK_NOFOLLOW) == 0;
    if (exists && S_ISDIR(moved.st_mode) && S_ISDIR(present.st_mode)) {
      int opened = openat(level.to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (opened < 0) return about(path, errno);
      kj::AutoCloseFd to(opened);
      auto stream = DirectoryStream::open(from, name);
      if (!stream.isOpen()) return about(path, errno);
      levels.add(MergeLevel{kj::mv(stream), kj::mv(to), kj::mv(path)});
      continue;
    }
    // rename(2) refuses a directory in place of what is none, and the other way round.
    if (renameat2(from, name, level.to, name, exists ? 0 : RENAME_NOREPLACE) < 0) {
      return about(path, errno);
    }
  }
  return nullptr;
}

void removeTree(int parentFd, kj::StringPtr name) noexcept {
  struct Level {
    DirectoryStream stream;
    kj::String name;  // in the level above
  };
  if (unlinkat(parentFd, name.cStr(), 0) == 0) return;
  kj::Vector<Level> levels;
  auto top = openToEmpty(parentFd, name);
  if (!top.isOpen()) return;
  levels.add(Level{kj::mv(top), kj::str(name)});
  while (!levels.empty()) {
    auto& level = levels.back();
    if (auto child = level.stream.next()) {
      if (unlinkat(level.stream.fd(), child, 0) == 0) continue;
      auto below = openToEmpty(level.stream.fd(), child);
      if (below.isOpen()) levels.add(Level{kj::mv(below), kj::str(child)});
      continue;
    }
    auto finished = kj::mv(levels.back());
    levels.removeLast();
    int parent = levels.empty() ? parentFd : levels.back().stream.fd();
    unlinkat(parent, finished.name.cStr(), AT_REMOVEDIR);
  }
}

}  // namespace bothy
