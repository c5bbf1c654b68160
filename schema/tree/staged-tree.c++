#include "tree/staged-tree.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tree/tree-merge.h"

namespace bothy {
namespace {

constexpr mode_t STAGING_MODE = 0700;
constexpr int DIRECTORY_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// The directory `name`, locked; none if it is not there, or another works in it.
kj::AutoCloseFd openLocked(int parentFd, kj::StringPtr name) {
  kj::AutoCloseFd fd(openat(parentFd, name.cStr(), DIRECTORY_FLAGS));
  if (fd.get() < 0 || flock(fd.get(), LOCK_EX | LOCK_NB) < 0) return kj::AutoCloseFd();
  // It may have been removed before it was locked, and made again.
  struct stat named, opened;
  if (fstatat(parentFd, name.cStr(), &named, AT_SYMLINK_NOFOLLOW) < 0 ||
      fstat(fd.get(), &opened) < 0 || named.st_ino != opened.st_ino ||
      named.st_dev != opened.st_dev) {
    return kj::AutoCloseFd();
  }
  return fd;
}

}  // namespace

kj::String stagingName(kj::StringPtr name, uint attempt) {
  constexpr size_t MAX_PREFIX = 200;  // a name has 255 bytes at most
  auto prefix = name.slice(0, kj::min(name.size(), MAX_PREFIX));
  return kj::str(".", prefix == "."_kj.asArray() ? ""_kj.asArray() : prefix, ".bothy-", attempt,
                 ".part");
}

StagedTree::StagedTree(int parentFd, kj::StringPtr name)
    : parentFd(parentFd), name(kj::str(name)) {}

StagedTree::~StagedTree() noexcept(false) {
  if (directory.get() >= 0) removeTree(holder(), temporaryName);
}

kj::OneOf<kj::Own<StagedTree>, FileProblem> StagedTree::make(int parentFd, kj::StringPtr name) {
  auto result = kj::heap<StagedTree>(parentFd, name);
  KJ_IF_MAYBE (problem, result->open()) return kj::mv(*problem);
  return kj::mv(result);
}

kj::Maybe<FileProblem> StagedTree::open() {
  struct stat status;
  if (fstatat(parentFd, name.cStr(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
    if (!S_ISDIR(status.st_mode)) return FileProblem::fromErrno(ENOTDIR);
    existing = kj::AutoCloseFd(openat(parentFd, name.cStr(), DIRECTORY_FLAGS));
    if (existing.get() < 0) return FileProblem::fromErrno(errno);
  } else if (errno != ENOENT) {
    return FileProblem::fromErrno(errno);
  }
  for (uint attempt = 0; attempt < MAX_STAGING_NAMES; ++attempt) {
    temporaryName = stagingName(name, attempt);
    if (mkdirat(holder(), temporaryName.cStr(), STAGING_MODE) < 0) {
      if (errno != EEXIST) return FileProblem::fromErrno(errno);
      auto abandoned = openLocked(holder(), temporaryName);
      // A stranger's in a directory of all is no left-over of ours.
      if (abandoned.get() < 0 || fstat(abandoned, &status) < 0 || status.st_uid != geteuid()) {
        continue;
      }
      removeTree(holder(), temporaryName);
      if (mkdirat(holder(), temporaryName.cStr(), STAGING_MODE) < 0) continue;
    }
    directory = openLocked(holder(), temporaryName);
    if (directory.get() >= 0) return nullptr;
  }
  return FileProblem::of(FileProblem::Reason::EXISTS,
                         kj::str("too many copies to this place are under way"));
}

kj::Maybe<FileProblem> StagedTree::merge(int present, TreeWriter& writer) {
  KJ_IF_MAYBE (problem, mergeTree(directory, present)) return kj::mv(*problem);
  removeTree(holder(), temporaryName);
  directory = nullptr;
  return writer.finish(present);
}

kj::Maybe<FileProblem> StagedTree::commit(TreeWriter& writer) {
  if (existing.get() >= 0) return merge(existing, writer);
  if (renameat2(parentFd, temporaryName.cStr(), parentFd, name.cStr(), RENAME_NOREPLACE) < 0) {
    if (errno != EEXIST) return FileProblem::fromErrno(errno);
    // Another copy was faster, perhaps an earlier try of this one.
    kj::AutoCloseFd made(openat(parentFd, name.cStr(), DIRECTORY_FLAGS));
    if (made.get() < 0) return FileProblem::fromErrno(errno);
    return merge(made, writer);
  }
  auto placed = kj::mv(directory);
  return writer.finish(placed);
}

}  // namespace bothy
