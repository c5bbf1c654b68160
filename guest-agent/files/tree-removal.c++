#include "files/tree-removal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include "files/directory-entry.h"

namespace bothy {
namespace {

// A directory right below `directory`, on the same mount.
int openChild(int directory, const char* name) {
  open_how how = {};
  how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
  return static_cast<int>(syscall(SYS_openat2, directory, name, &how, sizeof(how)));
}

// Some file systems say EPERM where Linux's own say EISDIR.
bool isDirectory(int directory, const char* name) {
  struct stat status;
  return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

}  // namespace

TreeRemoval::TreeRemoval(kj::AutoCloseFd parent, kj::String name)
    : parent(kj::mv(parent)), name(kj::mv(name)) {}

FileResult<Done> TreeRemoval::enter(int directory, kj::StringPtr child) {
  if (levels.size() >= MAX_REMOVE_DEPTH) return FileProblem::fromErrno(ENAMETOOLONG);
  int fd = openChild(directory, child.cStr());
  if (fd < 0) return FileProblem::fromErrno(errno);
  kj::AutoCloseFd opened(fd);
  struct stat status;
  if (fstat(fd, &status) < 0) return FileProblem::fromErrno(errno);
  if (levels.size() > KEPT_LEVELS) {
    auto& above = levels.back();
    above = Level{above.device, above.number};
  }
  levels.add(Level{status.st_dev, status.st_ino, kj::mv(opened)});
  return Done{};
}

FileResult<Done> TreeRemoval::leave() {
  auto left = kj::mv(levels.back().fd);
  levels.removeLast();
  auto& level = levels.back();
  if (level.fd != nullptr) return Done{};
  int fd = openat(left.get(), "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return FileProblem::fromErrno(errno);
  level.fd = kj::AutoCloseFd(fd);
  struct stat status;
  if (fstat(fd, &status) < 0) return FileProblem::fromErrno(errno);
  // Whoever moved the directory away meanwhile does not get us to remove what is there.
  if (status.st_dev != level.device || status.st_ino != level.number) {
    return FileProblem::of(FileProblem::Reason::OTHER, kj::str("the tree was moved meanwhile"));
  }
  return Done{};
}

// More entries of a directory; false: there are none, however often it is read.
FileResult<bool> TreeRemoval::readOn(Level& level) {
  if (level.entries == nullptr) {
    level.entries = kj::heapArray<kj::byte>(DIRECTORY_BUFFER_BYTES);
  }
  for (;;) {
    const long size = readDirectory(level.fd.get(), level.entries);
    if (size < 0) return FileProblem::fromErrno(errno);
    readBytes += static_cast<uint64_t>(size);
    level.at = 0;
    level.end = static_cast<size_t>(size);
    if (size > 0) return true;
    if (level.isSeenEmpty) return false;
    // A file system may pass over entries while others go.
    level.isSeenEmpty = true;
    if (lseek(level.fd.get(), 0, SEEK_SET) < 0) return FileProblem::fromErrno(errno);
  }
}

// Goes on where the innermost directory was left.
FileResult<TreeRemoval::Scan> TreeRemoval::scan(uint& count) {
  auto& level = levels.back();
  const int directory = level.fd.get();
  for (;;) {
    if (level.at == level.end) {
      auto more = readOn(level);
      if (more.is<FileProblem>()) return kj::mv(more.get<FileProblem>());
      if (!more.get<bool>()) return Scan::EMPTY;
    }
    auto& entry = *reinterpret_cast<const DirectoryEntry*>(level.entries.begin() + level.at);
    const auto next = level.at + entry.bytes;
    if (entry.isDotOrDotDot()) {
      level.at = next;
      continue;
    }
    level.isSeenEmpty = false;
    if (count == 0) return Scan::MORE;
    --count;
    if (unlinkat(directory, entry.name, 0) == 0 || errno == ENOENT) {
      level.at = next;
      continue;
    }
    int error = errno;
    if (error != EISDIR && !isDirectory(directory, entry.name)) {
      return FileProblem::fromErrno(error);
    }
    if (unlinkat(directory, entry.name, AT_REMOVEDIR) == 0 || errno == ENOENT) {
      level.at = next;
      continue;
    }
    // EBUSY: something is mounted there, which enter() refuses with a name for it.
    if (errno != ENOTEMPTY && errno != EEXIST && errno != EBUSY) {
      return FileProblem::fromErrno(errno);
    }
    // It is met again when it is empty.
    auto entered = enter(directory, entry.name);
    if (entered.is<FileProblem>()) return kj::mv(entered.get<FileProblem>());
    return Scan::DESCENDED;
  }
}

kj::Maybe<FileResult<Done>> TreeRemoval::step(uint count) {
  if (levels.empty()) {
    if (unlinkat(parent.get(), name.cStr(), 0) == 0) return FileResult<Done>(Done{});
    int error = errno;
    if (error != EISDIR && !isDirectory(parent.get(), name.cStr())) {
      return FileResult<Done>(FileProblem::fromErrno(error));
    }
    auto entered = enter(parent.get(), name);
    if (entered.is<FileProblem>()) return kj::mv(entered);
  }
  while (count > 0) {
    auto scanned = scan(count);
    if (scanned.is<FileProblem>()) return FileResult<Done>(kj::mv(scanned.get<FileProblem>()));
    if (scanned.get<Scan>() != Scan::EMPTY) continue;
    if (levels.size() == 1) {
      if (unlinkat(parent.get(), name.cStr(), AT_REMOVEDIR) < 0) {
        return FileResult<Done>(FileProblem::fromErrno(errno));
      }
      return FileResult<Done>(Done{});
    }
    auto left = leave();
    if (left.is<FileProblem>()) return kj::mv(left);
  }
  return nullptr;
}

}  // namespace bothy
