#pragma once

#include <sys/types.h>

#include <kj/io.h>
#include <kj/string.h>

namespace bothy {

// The place of a local path: its directory, held open, and the name in it.
struct LocalPlace {
  kj::AutoCloseFd directory;
  kj::String name;
  kj::String shown;  // the whole path, for messages

  // Where a copy named `sourceName` to `path` goes: into `path` if that is a directory, else to `path` itself.
  // Throws a failure() if its directory cannot be opened.
  static LocalPlace find(kj::StringPtr path, kj::StringPtr sourceName);
};

enum class EntryKind { FILE, TREE };

// A file or directory that is being made beside its place under another name, and gets its own at
// `commit`.  Dropping it before removes it.  Throws failure() where a system call fails.
class PendingEntry final {
public:
  // Refuses to replace what is neither a regular file nor a symlink; a tree replaces nothing.
  PendingEntry(LocalPlace place, EntryKind kind);
  ~PendingEntry() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(PendingEntry);

  // The open file, for writing, or the open directory.
  int fd() const { return entry; }
  kj::StringPtr path() const { return place.shown; }

  // `mode`: permission bits, less the umask; no setuid, setgid, sticky.
  void commit(mode_t mode);

private:
  void removeTemporary() noexcept;

  LocalPlace place;
  EntryKind kind;
  kj::String temporaryName;
  kj::AutoCloseFd entry;
  bool committed = false;
};

}  // namespace bothy
