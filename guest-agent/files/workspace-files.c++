#include "files/workspace-files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/limits.capnp.h"
#include "tree/left-over.h"
#include "tree/staged-tree.h"

namespace bothy {

using Reason = FileProblem::Reason;

WorkspaceFiles::WorkspaceFiles(const WorkspaceRoot& root, kj::StringPtr home)
    : root(root), home(kj::str(home)), pages(root) {}

WorkspaceFiles::~WorkspaceFiles() noexcept(false) {}

FileResult<FileDetails> WorkspaceFiles::stat(const FilePath& path, Links links) const {
  auto opened = root.open(path, O_PATH | (links == Links::FOLLOW ? 0 : O_NOFOLLOW));
  if (opened.is<FileProblem>()) return kj::mv(opened.get<FileProblem>());
  int fd = opened.get<kj::AutoCloseFd>().get();
  struct stat status;
  if (fstat(fd, &status) < 0) return FileProblem::fromErrno(errno);
  auto details = FileDetails::of(path.name(), status);
  if (S_ISLNK(status.st_mode)) {
    char target[rpc::MAX_PATH_BYTES];
    auto size = readlinkat(fd, "", target, sizeof(target));
    if (size > 0) details.linkTarget = kj::heapString(target, size);
  }
  return kj::mv(details);
}

FileResult<DirectoryPages::Page> WorkspaceFiles::list(const FilePath& path, uint64_t cursor,
                                                      uint32_t limit) {
  return pages.read(path, cursor, limit);
}

FileResult<Done> WorkspaceFiles::makeDirectory(const FilePath& path, mode_t mode,
                                               Parents parents) const {
  auto mayExist = [&]() -> FileResult<Done> {
    auto opened = root.open(path, O_PATH | O_DIRECTORY);
    if (opened.is<FileProblem>()) return FileProblem::fromErrno(EEXIST);
    return Done{};
  };
  if (path.hasNoName() && parents == Parents::MAKE) return mayExist();
  auto parent = parents == Parents::MAKE ? root.makeParent(path) : root.openParent(path);
  if (parent.is<FileProblem>()) return kj::mv(parent.get<FileProblem>());
  if (mkdirat(parent.get<kj::AutoCloseFd>().get(), path.name().cStr(), mode & 07777) < 0) {
    if (errno == EEXIST && parents == Parents::MAKE) return mayExist();
    return FileProblem::fromErrno(errno);
  }
  return Done{};
}

FileResult<Done> WorkspaceFiles::move(const FilePath& from, const FilePath& to,
                                      Target target) const {
  auto fromParent = root.openParent(from);
  if (fromParent.is<FileProblem>()) return kj::mv(fromParent.get<FileProblem>());
  auto toParent = root.openParent(to);
  if (toParent.is<FileProblem>()) {
    auto problem = kj::mv(toParent.get<FileProblem>());
    problem.path = kj::str(to.string());
    return kj::mv(problem);
  }
  if (renameat2(fromParent.get<kj::AutoCloseFd>().get(), from.name().cStr(),
                toParent.get<kj::AutoCloseFd>().get(), to.name().cStr(),
                target == Target::KEEP ? RENAME_NOREPLACE : 0) < 0) {
    return FileProblem::fromErrno(errno);
  }
  return Done{};
}

FileResult<Done> WorkspaceFiles::remove(const FilePath& path) const {
  auto parent = root.openParent(path);
  if (parent.is<FileProblem>()) return kj::mv(parent.get<FileProblem>());
  int directory = parent.get<kj::AutoCloseFd>().get();
  if (unlinkat(directory, path.name().cStr(), 0) == 0) return Done{};
  int error = errno;
  if (error != EISDIR && error != EPERM) return FileProblem::fromErrno(error);
  if (unlinkat(directory, path.name().cStr(), AT_REMOVEDIR) == 0) return Done{};
  return FileProblem::fromErrno(errno == ENOTDIR ? error : errno);
}

FileResult<Done> WorkspaceFiles::makeSymlink(const FilePath& path, kj::StringPtr target,
                                             timespec modified) const {
  auto opened = root.openParent(path);
  if (opened.is<FileProblem>()) return kj::mv(opened.get<FileProblem>());
  auto parent = kj::mv(opened.get<kj::AutoCloseFd>());
  for (uint attempt = 0; attempt < MAX_STAGING_NAMES; ++attempt) {
    auto temporary = stagingName(path.name(), attempt);
    auto make = [&] { return symlinkat(target.cStr(), parent, temporary.cStr()); };
    if (make() < 0) {
      if (errno != EEXIST) return FileProblem::fromErrno(errno);
      if (!removeLeftOver(parent, temporary) || make() < 0) continue;
    }
    const timespec times[2] = {{0, UTIME_OMIT}, modified};
    if (utimensat(parent, temporary.cStr(), times, AT_SYMLINK_NOFOLLOW) == 0 &&
        renameat(parent, temporary.cStr(), parent, path.name().cStr()) == 0) {
      return Done{};
    }
    int error = errno;
    unlinkat(parent, temporary.cStr(), 0);
    return FileProblem::fromErrno(error);
  }
  return FileProblem::fromErrno(EEXIST);
}

FileResult<kj::Own<TreeRemoval>> WorkspaceFiles::removeTree(const FilePath& path) const {
  auto parent = root.openParent(path);
  if (parent.is<FileProblem>()) return kj::mv(parent.get<FileProblem>());
  return kj::heap<TreeRemoval>(kj::mv(parent.get<kj::AutoCloseFd>()), kj::str(path.name()));
}

FileResult<kj::AutoCloseFd> WorkspaceFiles::openToRead(const FilePath& path) const {
  auto opened = root.open(path, O_RDONLY);
  if (opened.is<FileProblem>()) return opened;
  int fd = opened.get<kj::AutoCloseFd>().get();
  struct stat status;
  if (fstat(fd, &status) < 0) return FileProblem::fromErrno(errno);
  if (S_ISDIR(status.st_mode)) return FileProblem::fromErrno(EISDIR);
  if (!S_ISREG(status.st_mode)) {
    return FileProblem::of(Reason::NOT_REGULAR, kj::str("not a regular file"));
  }
  posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  return opened;
}

FileResult<WorkspaceFiles::TreePlace> WorkspaceFiles::findTree(const FilePath& path) const {
  auto directory = openDirectory(path);
  if (directory.is<kj::AutoCloseFd>()) {
    return TreePlace{kj::mv(directory.get<kj::AutoCloseFd>()), kj::str(".")};
  }
  if (directory.get<FileProblem>().reason != Reason::NOT_DIRECTORY) {
    return kj::mv(directory.get<FileProblem>());
  }
  auto parent = root.openParent(path);
  if (parent.is<FileProblem>()) return kj::mv(parent.get<FileProblem>());
  return TreePlace{kj::mv(parent.get<kj::AutoCloseFd>()), kj::str(path.name())};
}

FileResult<WorkspaceFiles::TreePlace> WorkspaceFiles::findPlace(const FilePath& path) const {
  bool isDirectory = path.hasNoName();
  auto opened = isDirectory ? root.open(path, O_PATH | O_DIRECTORY) : root.openParent(path);
  if (opened.is<FileProblem>()) return kj::mv(opened.get<FileProblem>());
  return TreePlace{kj::mv(opened.get<kj::AutoCloseFd>()),
                   isDirectory ? kj::str(".") : kj::str(path.name())};
}

FileResult<kj::AutoCloseFd> WorkspaceFiles::openDirectory(const FilePath& path) const {
  return root.open(path, O_PATH | O_DIRECTORY);
}

}  // namespace bothy
