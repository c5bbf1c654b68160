#include "files/file-writer.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/limits.capnp.h"
#include "tree/left-over.h"
#include "tree/staged-tree.h"

namespace bothy {
namespace {

using Reason = FileProblem::Reason;
using Disposition = WriteSettings::Disposition;

constexpr mode_t KEPT_MODE = 0777;
// Writing to the disk begins while bytes still come, or the flush at the end would take as long again.
constexpr uint64_t WRITE_BACK_BYTES = 8 * 1024 * 1024;
// As open(2) has it.
constexpr uint MAX_LINKS = 40;

FileProblem notRegular() {
  return FileProblem::of(Reason::NOT_REGULAR, kj::str("not a regular file"));
}

FileProblem leadsToNothing() {
  return FileProblem::of(Reason::NOT_FOUND, kj::str("the symlink leads to nothing"));
}

// Whether a symlink may be followed by the effective user, as fs.protected_symlinks has it (proc(5)): in a
// directory where all may make one, only the follower's own, or one of the directory's owner.  The kernel is not
// asked, since it is not it who follows.
bool mayFollow(const struct stat& directory, const struct stat& link) {
  constexpr mode_t OF_ALL = S_ISVTX | S_IWOTH;
  return (directory.st_mode & OF_ALL) != OF_ALL || link.st_uid == geteuid() ||
         link.st_uid == directory.st_uid;
}

// What is at `name`, if it is a symlink: its text.  None if it is something else.
FileResult<kj::Maybe<kj::String>> readLink(int directory, kj::StringPtr name) {
  int fd = openat(directory, name.cStr(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return FileProblem::fromErrno(errno);
  kj::AutoCloseFd link(fd);
  struct stat status, holder;
  if (fstat(fd, &status) < 0 || fstat(directory, &holder) < 0) {
    return FileProblem::fromErrno(errno);
  }
  if (!S_ISLNK(status.st_mode)) return kj::Maybe<kj::String>(nullptr);
  if (!mayFollow(holder, status)) {
    auto problem = FileProblem::fromErrno(EACCES);
    problem.message = kj::str("a symlink of another user's, in a directory where all may make one");
    return kj::mv(problem);
  }
  char target[rpc::MAX_PATH_BYTES];
  auto size = readlinkat(fd, "", target, sizeof(target));
  if (size < 0) return FileProblem::fromErrno(errno);
  return kj::Maybe<kj::String>(kj::heapString(target, static_cast<size_t>(size)));
}

// The path of the file that `path` leads to over any symlinks in its place.  What is swapped meanwhile makes the
// last symlink be replaced: nothing is written elsewhere.
FileResult<FilePath> followLinks(const WorkspaceRoot& root, const FilePath& path) {
  auto parsed = FilePath::parse(path.string().asBytes());
  if (parsed.is<FileProblem>()) return parsed;
  auto at = kj::mv(parsed.get<FilePath>());
  for (uint links = 0; links < MAX_LINKS; ++links) {
    auto parent = root.openParent(at);
    if (parent.is<FileProblem>()) {
      auto& problem = parent.get<FileProblem>();
      bool missing = problem.errorNumber == ENOENT;
      if (missing && links == 0) return kj::mv(at);  // it may be made
      if (missing) return leadsToNothing();
      return kj::mv(problem);
    }
    auto link = readLink(parent.get<kj::AutoCloseFd>(), at.name());
    if (link.is<FileProblem>()) {
      auto& problem = link.get<FileProblem>();
      bool missing = problem.errorNumber == ENOENT;
      if (missing && links == 0) return kj::mv(at);
      if (missing) return leadsToNothing();
      return kj::mv(problem);
    }
    auto& read = link.get<kj::Maybe<kj::String>>();
    if (read == nullptr) return kj::mv(at);
    auto text = kj::mv(KJ_ASSERT_NONNULL(read));
    bool absolute = text.startsWith("/");
    if (absolute && !root.absoluteLinksStay()) {
      return FileProblem::of(Reason::OUTSIDE_ROOT, kj::str("a symlink out of the root"));
    }
    auto next = absolute ? kj::mv(text) : kj::str(at.parent().string(), '/', text);
    auto followed = FilePath::parse(next.asBytes());
    if (followed.is<FileProblem>()) return followed;
    at = kj::mv(followed.get<FilePath>());
  }
  return FileProblem::fromErrno(ELOOP);
}

}  // namespace

FileWriter::FileWriter(WriteSettings settings, kj::AutoCloseFd file)
    : settings(settings),
      file(kj::mv(file)),
      position(settings.disposition == Disposition::PATCH ? settings.offset : 0),
      flushedUpTo(position) {}

FileWriter::~FileWriter() noexcept(false) {
  KJ_IF_MAYBE (temporary, temporaryName) {
    unlinkat(directory.get(), temporary->cStr(), 0);
  }
}

FileResult<kj::Own<FileWriter>> FileWriter::open(const WorkspaceRoot& root, const FilePath& given,
                                                 WriteSettings settings) {
  kj::Maybe<FilePath> target;
  if (settings.followLinks && settings.disposition == Disposition::REPLACE) {
    auto followed = followLinks(root, given);
    if (followed.is<FileProblem>()) return kj::mv(followed.get<FileProblem>());
    target = kj::mv(followed.get<FilePath>());
  }
  auto& path = target.orDefault(given);
  auto parent = settings.makeParents ? root.makeParent(path) : root.openParent(path);
  if (parent.is<FileProblem>()) return kj::mv(parent.get<FileProblem>());

  if (settings.disposition == Disposition::PATCH) {
    auto opened = root.open(path, O_WRONLY | O_CREAT, settings.mode & KEPT_MODE);
    if (opened.is<FileProblem>()) return kj::mv(opened.get<FileProblem>());
    auto writer = kj::heap<FileWriter>(settings, kj::mv(opened.get<kj::AutoCloseFd>()));
    struct stat status;
    if (fstat(writer->file.get(), &status) < 0) return FileProblem::fromErrno(errno);
    if (!S_ISREG(status.st_mode)) return notRegular();
    return kj::mv(writer);
  }

  auto writer = kj::heap<FileWriter>(settings, kj::AutoCloseFd());
  writer->directory = kj::mv(parent.get<kj::AutoCloseFd>());
  writer->name = kj::str(path.name());
  auto prepared = writer->prepareReplacement();
  if (prepared.is<FileProblem>()) return kj::mv(prepared.get<FileProblem>());
  return kj::mv(writer);
}

FileResult<Done> FileWriter::prepareReplacement() {
  mode_t mode = settings.mode & KEPT_MODE;
  bool keepMode = settings.modeRule == WriteSettings::Mode::EXACT;
  struct stat status;
  if (fstatat(directory.get(), name.cStr(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
    if (settings.disposition == Disposition::CREATE_NEW) return FileProblem::fromErrno(EEXIST);
    if (S_ISDIR(status.st_mode)) return FileProblem::fromErrno(EISDIR);
    if (!S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode)) return notRegular();
    if (S_ISREG(status.st_mode) && !keepMode) {
      mode = status.st_mode & KEPT_MODE;
      keepMode = true;
    }
  } else if (errno != ENOENT) {
    return FileProblem::fromErrno(errno);
  }

  int fd = openat(directory.get(), ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
  if (fd >= 0) {
    file = kj::AutoCloseFd(fd);
  } else if (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL) {
    auto created = createNamed(mode);
    if (created.is<FileProblem>()) return created;
  } else {
    return FileProblem::fromErrno(errno);
  }
  if (keepMode && fchmod(file.get(), mode) < 0) return FileProblem::fromErrno(errno);
  return Done{};
}

FileResult<Done> FileWriter::createNamed(mode_t mode) {
  constexpr int FLAGS = O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC;
  for (uint attempt = 0; attempt < MAX_STAGING_NAMES; ++attempt) {
    auto temporary = stagingName(name, attempt);
    int fd = openat(directory.get(), temporary.cStr(), FLAGS, mode);
    if (fd < 0 && errno == EEXIST && removeLeftOver(directory, temporary)) {
      fd = openat(directory.get(), temporary.cStr(), FLAGS, mode);
    }
    if (fd < 0 && errno == EEXIST) continue;
    if (fd < 0) return FileProblem::fromErrno(errno);
    file = kj::AutoCloseFd(fd);
    if (!lockStaged(directory, temporary, fd)) continue;
    temporaryName = kj::mv(temporary);
    return Done{};
  }
  return FileProblem::fromErrno(EEXIST);
}

FileResult<Done> FileWriter::write(kj::ArrayPtr<const kj::byte> bytes) {
  while (bytes.size() > 0) {
    auto count = pwrite(file.get(), bytes.begin(), bytes.size(), static_cast<off_t>(position));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FileProblem::fromErrno(errno);
    bytes = bytes.slice(count, bytes.size());
    position += count;
  }
  if (position - flushedUpTo >= WRITE_BACK_BYTES) {
    sync_file_range(file.get(), static_cast<off_t>(flushedUpTo),
                    static_cast<off_t>(position - flushedUpTo), SYNC_FILE_RANGE_WRITE);
    flushedUpTo = position;
  }
  return Done{};
}

FileResult<Done> FileWriter::giveName() {
  bool mustBeFree = settings.disposition == Disposition::CREATE_NEW;
  KJ_IF_MAYBE (temporary, temporaryName) {
    if (renameat2(directory.get(), temporary->cStr(), directory.get(), name.cStr(),
                  mustBeFree ? RENAME_NOREPLACE : 0) < 0) {
      return FileProblem::fromErrno(errno);
    }
    temporaryName = nullptr;
    return Done{};
  }
  // linkat(2) with AT_EMPTY_PATH wants a capability that the user has not; the agent's own link will do.
  char link[32];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", file.get());
  auto linkTo = [&](kj::StringPtr newName) {
    return linkat(AT_FDCWD, link, directory.get(), newName.cStr(), AT_SYMLINK_FOLLOW);
  };
  if (linkTo(name) == 0) return Done{};
  if (errno != EEXIST || mustBeFree) return FileProblem::fromErrno(errno);
  for (uint attempt = 0; attempt < MAX_STAGING_NAMES; ++attempt) {
    auto temporary = stagingName(name, attempt);
    if (linkTo(temporary) < 0) {
      if (errno != EEXIST) return FileProblem::fromErrno(errno);
      if (!removeLeftOver(directory, temporary) || linkTo(temporary) < 0) continue;
    }
    if (renameat(directory.get(), temporary.cStr(), directory.get(), name.cStr()) == 0) {
      return Done{};
    }
    int error = errno;
    unlinkat(directory.get(), temporary.cStr(), 0);
    return FileProblem::fromErrno(error);
  }
  return FileProblem::fromErrno(EEXIST);
}

FileResult<Done> FileWriter::skip(uint64_t bytes) {
  if (settings.disposition == Disposition::PATCH) return FileProblem::fromErrno(EINVAL);
  if (bytes > static_cast<uint64_t>(INT64_MAX) - position) return FileProblem::fromErrno(EFBIG);
  position += bytes;
  return Done{};
}

FileResult<Done> FileWriter::setAttributes() {
  struct stat status;
  if (fstat(file.get(), &status) < 0) return FileProblem::fromErrno(errno);
  auto end = static_cast<off_t>(position);
  // The end may be a hole.
  bool grows = settings.disposition != Disposition::PATCH && status.st_size < end;
  if (grows && ftruncate(file.get(), end) < 0) return FileProblem::fromErrno(errno);
  KJ_IF_MAYBE (modified, settings.modified) {
    const timespec times[2] = {{0, UTIME_OMIT}, *modified};
    if (futimens(file.get(), times) < 0) return FileProblem::fromErrno(errno);
  }
  return Done{};
}

kj::Promise<FileResult<Done>> FileWriter::finish(DiskFlush& disk) {
  auto set = setAttributes();
  if (set.is<FileProblem>()) co_return kj::mv(set);
  int error = co_await disk.flush(file.get());
  if (error != 0) co_return FileProblem::fromErrno(error);
  if (settings.disposition == Disposition::PATCH) co_return Done{};
  auto named = giveName();
  if (named.is<FileProblem>()) co_return kj::mv(named);

  kj::AutoCloseFd readable(openat(directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // A directory that the user may write but not read cannot be opened to flush it.  A name changes the file's
  // inode too, so ext4 writes both with the file.
  error = co_await disk.flush(readable.get() < 0 ? file.get() : readable.get());
  if (error != 0) co_return FileProblem::fromErrno(error);
  co_return Done{};
}

}  // namespace bothy
