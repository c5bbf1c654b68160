#include "tree/tree-writer.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bothy {
namespace {

constexpr mode_t KEPT_MODE = 0777;
constexpr mode_t NEW_PARENT_MODE = 0755;
constexpr mode_t NEW_DIRECTORY_MODE = 0700;
constexpr mode_t NEW_FILE_MODE = 0600;

// The directory `path` beneath `fd`, or minus errno.
int openDirectory(int fd, kj::StringPtr path) {
  open_how how = {};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;  // O_NOFOLLOW would hide a symlink as ENOTDIR
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  long result = syscall(SYS_openat2, fd, path.size() == 0 ? "." : path.cStr(), &how, sizeof(how));
  return result < 0 ? -errno : static_cast<int>(result);
}

FileProblem about(const TreePath& path, int errorNumber) {
  auto problem = FileProblem::fromErrno(errorNumber);
  problem.path = kj::str(path.string());
  return problem;
}

FileProblem refuse(const TreePath& path, kj::StringPtr why) {
  return FileProblem::of(FileProblem::Reason::INVALID_ARCHIVE, kj::str(why),
                         kj::str(path.string()));
}

// Calls `make`, and when the name is taken removes what has it (never a directory) and calls it again.
template <typename Make>
int makeInPlace(int directory, kj::StringPtr name, Make make) {
  int result = make();
  if (result >= 0 || errno != EEXIST) return result;
  if (unlinkat(directory, name.cStr(), 0) < 0 && errno != ENOENT) return -1;
  return make();
}

}  // namespace

TreeWriter::TreeWriter(int rootFd, Duplicates duplicates, Root root)
    : rootFd(rootFd), duplicates(duplicates), root(root) {}

TreeWriter::~TreeWriter() noexcept(false) {}

TreeWriter::Result TreeWriter::note(const TreePath& path, Kind kind) {
  if (duplicates == Duplicates::REPLACE) return nullptr;
  if (seen.find(path.string()) != nullptr) return refuse(path, "the name comes twice");
  seenBytes += path.string().size();
  if (seenBytes > MAX_REMEMBERED_NAME_BYTES) {
    return FileProblem::of(FileProblem::Reason::TOO_MANY_ENTRIES, kj::str("too many names"),
                           kj::str(path.string()));
  }
  seen.insert(kj::str(path.string()), kind);
  return nullptr;
}

kj::OneOf<int, FileProblem> TreeWriter::openParent(const TreePath& path) {
  if (path.isRoot()) return refuse(path, "the root itself is no place for this");
  auto parent = path.parent();
  if (parent.isRoot()) return rootFd;
  if (current.get() >= 0 && currentPath == parent.string()) return current.get();

  int fd = openDirectory(rootFd, parent.string());
  if (fd == -ENOENT) {
    // Top down; each step looks its whole path up again, so that no step trusts the one before.
    kj::AutoCloseFd above;
    for (size_t end = 0; end <= parent.string().size(); ++end) {
      if (end < parent.string().size() && parent.string()[end] != '/') continue;
      auto prefix = KJ_ASSERT_NONNULL(TreePath::parse(kj::str(parent.string().slice(0, end))));
      fd = openDirectory(rootFd, prefix.string());
      if (fd == -ENOENT) {
        int directory = above.get() >= 0 ? above.get() : rootFd;
        if (mkdirat(directory, prefix.name().cStr(), NEW_PARENT_MODE) == 0) {
          ++parents;
        } else if (errno != EEXIST) {
          return about(prefix, errno);
        }
        fd = openDirectory(rootFd, prefix.string());
      }
      if (fd < 0) break;
      above = kj::AutoCloseFd(fd);
    }
    if (fd >= 0) {
      current = kj::mv(above);
      currentPath = kj::str(parent.string());
      return current.get();
    }
  }
  if (fd == -ELOOP) return refuse(path, "the path goes through a symlink");
  if (fd < 0) return about(parent, -fd);
  current = kj::AutoCloseFd(fd);
  currentPath = kj::str(parent.string());
  return fd;
}

TreeWriter::Result TreeWriter::makeDirectory(const TreePath& path, mode_t mode, timespec modified) {
  KJ_IF_MAYBE (problem, note(path, Kind::OTHER)) return kj::mv(*problem);
  if (path.isRoot()) {
    if (root == Root::SET) {
      directories.add(Directory{KJ_ASSERT_NONNULL(TreePath::parse(".")), mode, modified});
    }
    return nullptr;
  }
  auto parent = openParent(path);
  if (parent.is<FileProblem>()) return kj::mv(parent.get<FileProblem>());
  int fd = parent.get<int>();
  auto name = path.name();
  if (mkdirat(fd, name.cStr(), NEW_DIRECTORY_MODE) < 0) {
    if (errno != EEXIST) return about(path, errno);
    struct stat status;
    if (fstatat(fd, name.cStr(), &status, AT_SYMLINK_NOFOLLOW) < 0) return about(path, errno);
    if (S_ISLNK(status.st_mode)) return refuse(path, "a directory where there is a symlink");
    if (!S_ISDIR(status.st_mode)) return about(path, ENOTDIR);
  }
  directories.add(Directory{KJ_ASSERT_NONNULL(TreePath::parse(path.string())), mode, modified});
  return nullptr;
}

TreeWriter::Result TreeWriter::makeSymlink(const TreePath& path, kj::StringPtr target,
                                           timespec modified) {
  KJ_IF_MAYBE (problem, note(path, Kind::OTHER)) return kj::mv(*problem);
  auto parent = openParent(path);
  if (parent.is<FileProblem>()) return kj::mv(parent.get<FileProblem>());
  int fd = parent.get<int>();
  auto name = path.name();
  int result = makeInPlace(fd, name, [&] { return symlinkat(target.cStr(), fd, name.cStr()); });
  if (result < 0) return about(path, errno);
  const timespec times[2] = {{0, UTIME_OMIT}, modified};
  if (utimensat(fd, name.cStr(), times, AT_SYMLINK_NOFOLLOW) < 0) return about(path, errno);
  return nullptr;
}

TreeWriter::Result TreeWriter::makeHardLink(const TreePath& path, const TreePath& target) {
  if (target.isRoot()) return refuse(path, "a hard link to a directory");
  if (path.string() == target.string()) return refuse(path, "a hard link to itself");
  if (duplicates == Duplicates::REFUSE) {
    auto kind = seen.find(target.string());
    if (kind == nullptr || KJ_ASSERT_NONNULL(kind) != Kind::FILE) {
      return refuse(path, "a hard link to what did not come before as a file");
    }
  }
  KJ_IF_MAYBE (problem, note(path, Kind::FILE)) return kj::mv(*problem);
  kj::AutoCloseFd targetParent;
  {
    int fd = openDirectory(rootFd, target.parent().string());
    if (fd == -ELOOP) return refuse(path, "a hard link through a symlink");
    if (fd < 0) return about(target, -fd);
    targetParent = kj::AutoCloseFd(fd);
  }
  auto parent = openParent(path);
  if (parent.is<FileProblem>()) return kj::mv(parent.get<FileProblem>());
  int fd = parent.get<int>();
  auto name = path.name();
  int result = makeInPlace(fd, name, [&] {
    return linkat(targetParent.get(), target.name().cStr(), fd, name.cStr(), 0);
  });
  if (result < 0) return about(path, errno);
  return nullptr;
}

kj::OneOf<kj::AutoCloseFd, FileProblem> TreeWriter::makeFile(const TreePath& path) {
  KJ_IF_MAYBE (problem, note(path, Kind::FILE)) return kj::mv(*problem);
  auto parent = openParent(path);
  if (parent.is<FileProblem>()) return kj::mv(parent.get<FileProblem>());
  int fd = parent.get<int>();
  auto name = path.name();
  int result = makeInPlace(fd, name, [&] {
    return openat(fd, name.cStr(), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC,
                  NEW_FILE_MODE);
  });
  if (result < 0) return about(path, errno);
  return kj::AutoCloseFd(result);
}

TreeWriter::Result TreeWriter::finishFile(kj::AutoCloseFd fd, mode_t mode, timespec modified) {
  const timespec times[2] = {{0, UTIME_OMIT}, modified};
  if (fchmod(fd.get(), mode & KEPT_MODE) < 0) return FileProblem::fromErrno(errno);
  if (futimens(fd.get(), times) < 0) return FileProblem::fromErrno(errno);
  return nullptr;
}

TreeWriter::Result TreeWriter::finish(int treeFd) {
  // Deepest last made: a directory without search permission comes after all that is below it.
  for (size_t i = directories.size(); i-- > 0;) {
    auto& entry = directories[i];
    open_how how = {};
    how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    auto path = entry.path.isRoot() ? "."_kj : entry.path.string();
    long opened = syscall(SYS_openat2, treeFd, path.cStr(), &how, sizeof(how));
    if (opened < 0) return about(entry.path, errno);
    kj::AutoCloseFd fd(static_cast<int>(opened));
    KJ_IF_MAYBE (problem, finishFile(kj::mv(fd), entry.mode, entry.modified)) {
      problem->path = kj::str(entry.path.string());
      return kj::mv(*problem);
    }
  }
  return nullptr;
}

}  // namespace bothy
