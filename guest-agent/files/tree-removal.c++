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
  current = kj::AutoCloseFd(fd);
  struct stat status;
  if (fstat(fd, &status) < 0) return FileProblem::fromErrno(errno);
  levels.add(Level{status.st_dev, status.st_ino});
  return Done{};
}

FileResult<Done> TreeRemoval::leave() {
  levels.removeLast();
  int fd = openat(current.get(), "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return FileProblem::fromErrno(errno);
  current = kj::AutoCloseFd(fd);
  struct stat status;
  if (fstat(fd, &status) < 0) return FileProblem::fromErrno(errno);
  // Whoever moved the directory away meanwhile does not get us to remove what is there.
  if (status.st_dev != levels.back().device || status.st_ino != levels.back().number) {
    return FileProblem::of(FileProblem::Reason::OTHER, kj::str("the tree was moved meanwhile"));
  }
  return Done{};
}

FileResult<TreeRemoval::Scan> TreeRemoval::scan(uint& count) {
  if (lseek(current.get(), 0, SEEK_SET) < 0) return FileProblem::fromErrno(errno);
  bool isEmpty = true;
  while (true) {
    long size = readDirectory(current.get(), buffer);
    if (size < 0) return FileProblem::fromErrno(errno);
    if (size == 0) return isEmpty ? Scan::EMPTY : Scan::MORE;
    for (long at = 0; at < size;) {
      auto& entry = *reinterpret_cast<const DirectoryEntry*>(buffer.begin() + at);
      at += entry.bytes;
      if (entry.isDotOrDotDot()) continue;
      isEmpty = false;
      if (count == 0) return Scan::MORE;
      --count;
      if (unlinkat(current.get(), entry.name, 0) == 0 || errno == ENOENT) continue;
      int error = errno;
      if (error != EISDIR && !isDirectory(current.get(), entry.name)) {
        return FileProblem::fromErrno(error);
      }
      if (unlinkat(current.get(), entry.name, AT_REMOVEDIR) == 0 || errno == ENOENT) continue;
      // EBUSY: something is mounted there, which enter() refuses with a name for it.
      if (errno != ENOTEMPTY && errno != EEXIST && errno != EBUSY)
        return FileProblem::fromErrno(errno);
      auto entered = enter(current.get(), entry.name);
      if (entered.is<FileProblem>()) return kj::mv(entered.get<FileProblem>());
      return Scan::DESCENDED;
    }
  }
}

kj::Maybe<FileResult<Done>> TreeRemoval::step(uint count) {
  if (levels.empty()) {
    if (unlinkat(parent.get(), name.cStr(), 0) == 0) return FileResult<Done>(Done{});
    int error = errno;
    if (error != EISDIR && !isDirectory(parent.get(), name.cStr())) {
      return FileResult<Done>(FileProblem::fromErrno(error));
    }
    buffer = kj::heapArray<kj::byte>(DIRECTORY_BUFFER_BYTES);
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
