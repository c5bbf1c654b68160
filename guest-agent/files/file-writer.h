#pragma once

#include <kj/async.h>

#include "files/disk-flush.h"
#include "files/workspace-root.h"

namespace bothy {

struct WriteSettings {
  enum class Disposition {
    REPLACE,     // a name that holds a file, or nothing, holds the new file afterwards
    CREATE_NEW,  // the name must be free
    PATCH        // in place
  };
  Disposition disposition = Disposition::REPLACE;
  enum class Mode {
    OF_NEW,  // of a new file, less the umask; one that is replaced keeps its own
    EXACT    // as it stands, also where a file is replaced; not for PATCH
  };
  Mode modeRule = Mode::OF_NEW;
  mode_t mode = 0644;
  bool makeParents = false;
  uint64_t offset = 0;  // PATCH: of the first byte
  kj::Maybe<timespec> modified;
  // A symlink at the name leads to the file that is written, and must lead to one.  Of another user's in a sticky
  // directory of all none is followed, as fs.protected_symlinks has it.
  bool followLinks = false;
};

// Receives the bytes of one file.  REPLACE and CREATE_NEW write to a file without a name and give it the
// name in finish(), after it is on the disk: a reader, also one after a crash, sees the old file or the
// new.  Dropping it before leaves everything as it was.  A symlink at the name is itself replaced, unless links are
// followed.  What a crash in finish() leaves has a stagingName(), and goes when the same name is written again.
class FileWriter final {
public:
  static FileResult<kj::Own<FileWriter>> open(const WorkspaceRoot& root, const FilePath& path,
                                              WriteSettings settings);

  FileWriter(WriteSettings settings, kj::AutoCloseFd file);
  ~FileWriter() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(FileWriter);

  FileResult<Done> write(kj::ArrayPtr<const kj::byte> bytes);
  // The next `bytes` bytes are a hole.  Not for PATCH.
  FileResult<Done> skip(uint64_t bytes);
  // Nothing may be called after it.
  kj::Promise<FileResult<Done>> finish(DiskFlush& disk);

private:
  const WriteSettings settings;
  kj::AutoCloseFd file;
  uint64_t position;
  uint64_t flushedUpTo;

  // Not for PATCH.
  kj::AutoCloseFd directory;
  kj::String name;
  // Where a file without a name cannot be: the name it has meanwhile, in `directory`.
  kj::Maybe<kj::String> temporaryName;

  FileResult<Done> prepareReplacement();
  FileResult<Done> createNamed(mode_t mode);
  FileResult<Done> setAttributes();
  FileResult<Done> giveName();
};

}  // namespace bothy
