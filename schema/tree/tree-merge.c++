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

constexpr int DIRECTORY_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// A directory that is gone down from and comes back to by "..", so that a tree of any depth needs no more
// descriptors than a flat one.
struct Inode {
  dev_t device = 0;
  ino_t number = 0;
  bool operator==(const Inode&) const = default;

  static Inode of(int fd) {
    struct stat status;
    if (fstat(fd, &status) < 0) return {};
    return {status.st_dev, status.st_ino};
  }
};

// Goes from `directory` to the one above, which is to be `expected`: it is another if somebody moved it meanwhile.
// False, and errno, if it cannot.
bool goUp(kj::AutoCloseFd& directory, const Inode& expected) {
  kj::AutoCloseFd above(openat(directory, "..", DIRECTORY_FLAGS));
  if (above.get() < 0) return false;
  if (Inode::of(above) != expected) {
    errno = ESTALE;
    return false;
  }
  directory = kj::mv(above);
  return true;
}

struct MergeLevel {
  Inode from;
  Inode to;
  kj::String name;                // in the level above
  kj::Vector<kj::String> inBoth;  // directories that are still to be merged
};

// One merge: the descriptors are those of the innermost level.
class Merging final {
public:
  Merging(kj::AutoCloseFd from, kj::AutoCloseFd to) : from(kj::mv(from)), to(kj::mv(to)) {}
  KJ_DISALLOW_COPY_AND_MOVE(Merging);

  kj::Maybe<FileProblem> run() {
    KJ_IF_MAYBE (problem, moveEntries(nullptr)) return kj::mv(*problem);
    while (true) {
      auto& level = levels.back();
      if (!level.inBoth.empty()) {
        auto name = kj::mv(level.inBoth.back());
        level.inBoth.removeLast();
        kj::AutoCloseFd nextFrom(openat(from, name.cStr(), DIRECTORY_FLAGS));
        if (nextFrom.get() < 0) return about(name, errno);
        kj::AutoCloseFd nextTo(openat(to, name.cStr(), DIRECTORY_FLAGS));
        if (nextTo.get() < 0) return about(name, errno);
        from = kj::mv(nextFrom);
        to = kj::mv(nextTo);
        KJ_IF_MAYBE (problem, moveEntries(kj::mv(name))) return kj::mv(*problem);
        continue;
      }
      if (levels.size() == 1) return nullptr;
      levels.removeLast();
      if (!goUp(from, levels.back().from) || !goUp(to, levels.back().to)) return about("", errno);
    }
  }

private:
  kj::AutoCloseFd from;
  kj::AutoCloseFd to;
  kj::Vector<MergeLevel> levels;

  // Begins the level of `from` and `to`: moves all but the directories that are in both.
  kj::Maybe<FileProblem> moveEntries(kj::String levelName) {
    levels.add(MergeLevel{Inode::of(from), Inode::of(to), kj::mv(levelName), {}});
    auto stream = DirectoryStream::open(from, ".");
    if (!stream.isOpen()) return about("", errno);
    while (auto name = stream.next()) {
      struct stat moved, present;
      if (fstatat(from, name, &moved, AT_SYMLINK_NOFOLLOW) < 0) return about(name, errno);
      bool exists = fstatat(to, name, &present, AT_SYMLINK_NOFOLLOW) == 0;
      if (exists && S_ISDIR(moved.st_mode) && S_ISDIR(present.st_mode)) {
        levels.back().inBoth.add(kj::str(name));
        continue;
      }
      // rename(2) refuses a directory in place of what is none, and the other way round.
      if (renameat2(from, name, to, name, exists ? 0 : RENAME_NOREPLACE) < 0) {
        return about(name, errno);
      }
    }
    if (errno != 0) return about("", errno);
    return nullptr;
  }

  // Of `name` in the innermost level, or of that itself.
  FileProblem about(kj::StringPtr name, int errorNumber) {
    auto problem = FileProblem::fromErrno(errorNumber);
    kj::Vector<kj::StringPtr> path;
    for (auto& level : levels) {
      if (level.name.size() > 0) path.add(level.name);
    }
    if (name.size() > 0) path.add(name);
    problem.path = kj::strArray(path, "/");
    return problem;
  }
};

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

struct RemovalLevel {
  Inode directory;
  kj::String name;               // in the level above
  kj::Vector<kj::String> below;  // what could not be unlinked: directories, most likely
};

// Unlinks what it can of `directory`.
RemovalLevel emptyDirectory(DirectoryStream& directory, kj::String name) {
  RemovalLevel level{Inode::of(directory.fd()), kj::mv(name), {}};
  while (auto child = directory.next()) {
    if (unlinkat(directory.fd(), child, 0) < 0) level.below.add(kj::str(child));
  }
  return level;
}

}  // namespace

kj::Maybe<FileProblem> mergeTree(int fromFd, int toFd) {
  kj::AutoCloseFd from(fcntl(fromFd, F_DUPFD_CLOEXEC, 0));
  kj::AutoCloseFd to(fcntl(toFd, F_DUPFD_CLOEXEC, 0));
  if (from.get() < 0 || to.get() < 0) return FileProblem::fromErrno(errno);
  return Merging(kj::mv(from), kj::mv(to)).run();
}

void removeTree(int parentFd, kj::StringPtr name) noexcept {
  if (unlinkat(parentFd, name.cStr(), 0) == 0) return;
  kj::Vector<RemovalLevel> levels;
  kj::AutoCloseFd current;  // the directory of the innermost level
  auto enter = [&](int directory, kj::String child) {
    auto stream = openToEmpty(directory, child);
    if (!stream.isOpen()) return;
    kj::AutoCloseFd fd(fcntl(stream.fd(), F_DUPFD_CLOEXEC, 0));
    if (fd.get() < 0) return;
    levels.add(emptyDirectory(stream, kj::mv(child)));
    current = kj::mv(fd);
  };
  enter(parentFd, kj::str(name));
  while (!levels.empty()) {
    auto& level = levels.back();
    if (!level.below.empty()) {
      auto child = kj::mv(level.below.back());
      level.below.removeLast();
      enter(current, kj::mv(child));
      continue;
    }
    auto finished = kj::mv(level.name);
    levels.removeLast();
    if (!levels.empty() && !goUp(current, levels.back().directory)) return;
    unlinkat(levels.empty() ? parentFd : current.get(), finished.cStr(), AT_REMOVEDIR);
  }
}

}  // namespace bothy
