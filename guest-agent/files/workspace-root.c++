#include "files/workspace-root.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "files/process-entry.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

using Reason = FileProblem::Reason;

constexpr mode_t NEW_PARENT_MODE = 0755;
// openat2(2) gives EAGAIN where a rename crossed its ".." lookup.
constexpr uint MAX_LOOKUPS = 8;

bool isSameDirectory(int fd, const char* path) {
  struct statx one, other;
  constexpr uint MASK = STATX_INO | STATX_MNT_ID;
  return statx(fd, "", AT_EMPTY_PATH, MASK, &one) == 0 &&
         statx(AT_FDCWD, path, 0, MASK, &other) == 0 && one.stx_ino == other.stx_ino &&
         one.stx_mnt_id == other.stx_mnt_id;
}

// The directory `name` in `directory`; -1 if it is a symlink or "..", which must be looked up from the root.  A path of
// thousands of new directories would else be looked up as often as it has components.
int openPlainChild(int directory, kj::StringPtr name) {
  open_how how = {};
  how.flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  return static_cast<int>(syscall(SYS_openat2, directory, name.cStr(), &how, sizeof(how)));
}

// Where each component of a path ends.
kj::Vector<size_t> componentEnds(kj::StringPtr path) {
  kj::Vector<size_t> ends;
  for (size_t i = 1; i < path.size(); ++i) {
    if (path[i] == '/' && path[i - 1] != '/') ends.add(i);
  }
  if (!path.endsWith("/")) ends.add(path.size());
  return ends;
}

}  // namespace

FileResult<FilePath> FilePath::parse(kj::ArrayPtr<const kj::byte> bytes) {
  auto invalid = [](kj::StringPtr why) {
    return FileProblem::of(Reason::INVALID_PATH, kj::str(why));
  };
  if (bytes.size() == 0) return invalid("an empty path");
  if (bytes.size() > rpc::MAX_PATH_BYTES) return invalid("a path over maxPathBytes");
  for (auto byte : bytes) {
    if (byte == 0) return invalid("a path with a NUL");
  }
  auto text = bytes.asChars();
  while (text.size() > 0 && text.front() == '/') text = text.slice(1, text.size());
  while (text.size() > 0 && text.back() == '/') text = text.slice(0, text.size() - 1);
  return FilePath(text.size() == 0 ? kj::str(".") : kj::str(text));
}

bool FilePath::hasNoName() const {
  auto last = name();
  return last == "." || last == "..";
}

kj::StringPtr FilePath::name() const {
  KJ_IF_MAYBE (slash, text.findLast('/')) return text.slice(*slash + 1);
  return text;
}

FilePath FilePath::parent() const {
  KJ_IF_MAYBE (slash, text.findLast('/')) return FilePath(kj::str(text.slice(0, *slash)));
  return FilePath(kj::str("."));
}

WorkspaceRoot::WorkspaceRoot(kj::AutoCloseFd directoryParam)
    : directory(kj::mv(directoryParam)), isMachineRoot(isSameDirectory(directory.get(), "/")) {}

FileResult<kj::AutoCloseFd> WorkspaceRoot::open(const FilePath& path, int flags,
                                                mode_t mode) const {
  open_how how = {};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  if ((flags & O_PATH) == 0) how.flags |= O_NOCTTY | O_NONBLOCK;
  how.mode = mode;
  how.resolve = (isMachineRoot ? RESOLVE_IN_ROOT : RESOLVE_BENEATH) | RESOLVE_NO_MAGICLINKS;
  for (uint i = 0; i < MAX_LOOKUPS; i++) {
    long fd = syscall(SYS_openat2, directory.get(), path.string().cStr(), &how, sizeof(how));
    if (fd >= 0) {
      kj::AutoCloseFd opened(static_cast<int>(fd));
      if (isAgentsOwn(opened)) return FileProblem::fromErrno(EACCES);
      return kj::mv(opened);
    }
    if (errno != EAGAIN && errno != EINTR) break;
  }
  auto problem = FileProblem::fromErrno(errno);
  if (problem.errorNumber == EXDEV) problem.reason = Reason::OUTSIDE_ROOT;
  return kj::mv(problem);
}

FileResult<kj::AutoCloseFd> WorkspaceRoot::openParent(const FilePath& path) const {
  if (path.hasNoName()) {
    return FileProblem::of(Reason::INVALID_PATH, kj::str("the path ends in no name"));
  }
  return open(path.parent(), O_PATH | O_DIRECTORY);
}

FileResult<kj::AutoCloseFd> WorkspaceRoot::makeParent(const FilePath& path) const {
  auto found = openParent(path);
  if (found.is<kj::AutoCloseFd>() || found.get<FileProblem>().reason != Reason::NOT_FOUND) {
    return found;
  }
  const auto parent = path.parent();
  const auto ends = componentEnds(parent.string());
  // The last that is there is looked for by halves, as each look goes from the root: a path has up to two thousand components.
  size_t there = 0, missing = ends.size();
  while (missing - there > 1) {
    const auto middle = there + (missing - there) / 2;
    auto opened = open(parent.upTo(ends[middle - 1]), O_PATH | O_DIRECTORY);
    if (opened.is<kj::AutoCloseFd>()) {
      there = middle;
    } else if (opened.get<FileProblem>().reason == Reason::NOT_FOUND) {
      missing = middle;
    } else {
      return opened;
    }
  }
  kj::AutoCloseFd above;
  uint waysBack = 0;
  for (auto i = there; i < ends.size(); ++i) {
    if (above.get() < 0) {
      auto opened = i == 0 ? open(FilePath::root(), O_PATH | O_DIRECTORY)
                           : open(parent.upTo(ends[i - 1]), O_PATH | O_DIRECTORY);
      if (opened.is<FileProblem>()) return opened;
      above = kj::mv(opened.get<kj::AutoCloseFd>());
    }
    const auto component = parent.upTo(ends[i]);
    if (mkdirat(above.get(), component.name().cStr(), NEW_PARENT_MODE) < 0 && errno != EEXIST) {
      return FileProblem::fromErrno(errno);
    }
    above = kj::AutoCloseFd(openPlainChild(above.get(), component.name()));
    if (above.get() < 0 && ++waysBack > MAX_NEW_WAYS_BACK) {
      return FileProblem::of(Reason::INVALID_PATH,
                             kj::str("a path with over ", MAX_NEW_WAYS_BACK,
                                     " ways back (..) out of directories that are missing"));
    }
  }
  return openParent(path);
}

}  // namespace bothy
