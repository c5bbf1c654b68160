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

  enum class Kind { FILE, DIRECTORY };

  // Where a copy named `sourceName` to `path` goes: into `path` if that is a directory, else to `path` itself,
  // which only for a directory may end in a slash.  Throws a failure() if its directory cannot be opened.
  //
  // The last symlink of `path` may be of a workspace's making, of an earlier copy: it is followed only where a
  // slash after it says that the user knows it as a directory.  Without one it is refused if it leads to a
  // directory, and is else itself the place.
  static LocalPlace find(kj::StringPtr path, kj::StringPtr sourceName, Kind kind = Kind::FILE);
};

// What a copy has of the file it was made from.
struct FileAttributes {
  mode_t mode;  // setuid, setgid and sticky are dropped, as the owner is
  int64_t modifiedNanos;
};

// A file that is being made beside its place under another name, and gets its own at `commit`.  Dropping it
// before removes it; what a crash leaves goes when the same place is written again.  Throws failure() where a
// system call fails.
class PendingEntry final {
public:
  // Refuses to replace what is neither a regular file nor a symlink, which is not followed.
  explicit PendingEntry(LocalPlace place);
  ~PendingEntry() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(PendingEntry);

  // The open file, for writing.
  int fd() const { return entry; }
  kj::StringPtr path() const { return place.shown; }

  // No umask counts.
  void commit(FileAttributes attributes);

private:
  LocalPlace place;
  kj::String temporaryName;
  kj::AutoCloseFd entry;
  bool committed = false;

  void create();
};

// Makes a symlink that leads to `target`, in place of a file or symlink, in one step.
void placeSymlink(LocalPlace place, kj::StringPtr target, int64_t modifiedNanos);

}  // namespace bothy
