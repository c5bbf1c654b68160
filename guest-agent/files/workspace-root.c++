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
  // Top down from the first that is missing.
  kj::Vector<FilePath> missing;
  auto next = path.parent();
  while (true) {
    auto above = next.parent();
    missing.add(kj::mv(next));
    auto opened = open(above, O_PATH | O_DIRECTORY);
    if (opened.is<kj::AutoCloseFd>()) break;
    if (opened.get<FileProblem>().reason != Reason::NOT_FOUND || above.string() == ".") {
      return opened;
    }
    next = kj::mv(above);
  }
  kj::AutoCloseFd above;
  for (size_t i = missing.size(); i-- > 0;) {
    if (above.get() < 0) {
      auto found = openParent(missing[i]);
      if (found.is<FileProblem>()) return found;
      above = kj::mv(found.get<kj::AutoCloseFd>());
    }
    auto name = missing[i].name();
    if (mkdirat(above.get(), name.cStr(), NEW_PARENT_MODE) < 0 && errno != EEXIST) {
      return FileProblem::fromErrno(errno);
    }
    above = kj::AutoCloseFd(openPlainChild(above.get(), name));
  }
  return openParent(path);
}

}  // namespace bothy
