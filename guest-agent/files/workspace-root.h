#pragma once

#include <kj/common.h>
#include <kj/io.h>
#include <kj/one-of.h>
#include <kj/string.h>
#include <sys/types.h>

#include "tree/file-problem.h"

namespace bothy {

template <typename T>
using FileResult = kj::OneOf<T, FileProblem>;
struct Done {};

// A path as a client gives it, made by parse() only: bytes without NUL, within maxPathBytes, relative
// (leading and final slashes are dropped).  What it leads to only WorkspaceRoot can tell.
class FilePath final {
public:
  static FileResult<FilePath> parse(kj::ArrayPtr<const kj::byte> bytes);
  static FilePath root() { return FilePath(kj::str(".")); }

  kj::StringPtr string() const { return text; }
  // Names nothing that could be made, moved or removed: the root, or a path that ends in "." or "..".
  bool hasNoName() const;
  // The last component, and the path before it ("." if there is none).
  kj::StringPtr name() const;
  FilePath parent() const;
  // What leads to a component that ends at `end`.
  FilePath upTo(size_t end) const { return FilePath(kj::heapString(text.slice(0, end))); }

private:
  explicit FilePath(kj::String text) : text(kj::mv(text)) {}
  kj::String text;
};

constexpr uint MAX_NEW_WAYS_BACK = 16;

// The directory beneath which everything happens, and the only way to open a path of a client's:
// the kernel resolves it and refuses what leads out, so that checking and opening are one operation.
class WorkspaceRoot final {
public:
  explicit WorkspaceRoot(kj::AutoCloseFd directory);
  KJ_DISALLOW_COPY_AND_MOVE(WorkspaceRoot);

  // open(2) flags; O_CLOEXEC, O_NOCTTY and O_NONBLOCK are added: no FIFO and no device is waited for.
  // Of what is below /proc/PID of the agent and of this process, in any mount of a proc file system, only what everybody may read of any process is opened.
  FileResult<kj::AutoCloseFd> open(const FilePath& path, int flags, mode_t mode = 0) const;

  // The directory of the path's last component, O_PATH.
  FileResult<kj::AutoCloseFd> openParent(const FilePath& path) const;
  // As openParent(), but makes the directories that are missing, 0755.  Refuses a path that goes back (..) out of more than
  // MAX_NEW_WAYS_BACK of those.
  FileResult<kj::AutoCloseFd> makeParent(const FilePath& path) const;

  // Whether an absolute symlink means a path beneath this root.
  bool absoluteLinksStay() const { return isMachineRoot; }

private:
  kj::AutoCloseFd directory;
  // Beneath the machine's own "/" nothing is outside, and absolute symlinks mean what they say.
  bool isMachineRoot;
};

}  // namespace bothy
