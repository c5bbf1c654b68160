#include "files/file-details.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/limits.capnp.h"
#include "tree/file-time.h"

namespace bothy {
namespace {

rpc::FileKind kindOf(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return rpc::FileKind::FILE;
    case S_IFDIR:
      return rpc::FileKind::DIRECTORY;
    case S_IFLNK:
      return rpc::FileKind::SYMLINK;
    case S_IFIFO:
      return rpc::FileKind::FIFO;
    case S_IFSOCK:
      return rpc::FileKind::SOCKET;
    case S_IFCHR:
      return rpc::FileKind::CHARACTER_DEVICE;
    case S_IFBLK:
      return rpc::FileKind::BLOCK_DEVICE;
    default:
      return rpc::FileKind::OTHER;
  }
}

}  // namespace

FileDetails FileDetails::of(kj::StringPtr name, const struct stat& status) {
  FileDetails result;
  result.name = kj::str(name);
  result.kind = kindOf(status.st_mode);
  result.size = status.st_size;
  result.mode = status.st_mode & 07777;
  result.uid = status.st_uid;
  result.gid = status.st_gid;
  result.modifiedNanos = nanosOf(status.st_mtim);
  result.changedNanos = nanosOf(status.st_ctim);
  result.inode = status.st_ino;
  result.links = status.st_nlink;
  return result;
}

FileResult<FileDetails> FileDetails::read(int directory, kj::StringPtr name) {
  struct stat status;
  if (fstatat(directory, name.cStr(), &status, AT_SYMLINK_NOFOLLOW) < 0) {
    return FileProblem::fromErrno(errno);
  }
  auto result = of(name, status);
  if (S_ISLNK(status.st_mode)) {
    char target[rpc::MAX_PATH_BYTES];
    auto size = readlinkat(directory, name.cStr(), target, sizeof(target));
    if (size > 0) result.linkTarget = kj::heapString(target, size);
  }
  return kj::mv(result);
}

void FileDetails::writeTo(rpc::FileEntry::Builder builder) const {
  builder.setName(name.asBytes());
  builder.setKind(kind);
  builder.setSize(size);
  builder.setMode(mode);
  builder.setUid(uid);
  builder.setGid(gid);
  builder.setModifiedNanos(modifiedNanos);
  if (linkTarget != nullptr) builder.setLinkTarget(linkTarget.asBytes());
  builder.setLinks(links);
  builder.setChangedNanos(changedNanos);
  builder.setInode(inode);
}

}  // namespace bothy
