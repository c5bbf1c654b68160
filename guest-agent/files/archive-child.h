#pragma once

#include <kj/async-io.h>

#include "files/file-counts.h"
#include "files/files-limits.h"
#include "files/workspace-root.h"
#include "process/programs.h"
#include "wire/byte-sink.h"

namespace bothy {

struct TreeCounts {
  uint64_t entries = 0;
  uint64_t skipped = 0;
};

// One packing or unpacking, in a child: see archive-worker.h.  Dropping it
// ends the child; one that unpacks a tree as a whole first removes what it made.  Once the child has ended and result() is
// known, it has no descriptor any more.
class ArchiveChild final {
public:
  enum class Task { PACK, UNPACK, UNPACK_WHOLE };

  // `directory` as the worker's descriptor 0; `name` in it, to PACK and UNPACK_WHOLE.  `turn` is dropped when the child has
  // ended.
  static kj::Promise<FileResult<kj::Own<ArchiveChild>>> start(Programs& programs, Task task,
                                                              kj::AutoCloseFd directory,
                                                              kj::String name, kj::Own<void> turn);

  ArchiveChild(Programs& programs, Task task, SpawnedProcess process, kj::AutoCloseFd archive,
               kj::AutoCloseFd control, kj::Own<void> turn);
  ~ArchiveChild() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(ArchiveChild);

  // To unpack: where the archive goes; closing it is its end.  It is closed, too, when the child ends.  To be taken once.
  kj::Own<kj::AsyncOutputStream> takeInput(kj::Own<FileCounters> counters);
  // The archive was whole when its input was closed: without this nothing gets its place.
  void confirmEnd();
  // PACK: sends the archive to its end.
  kj::Promise<void> pumpTo(SinkWriter& writer, FilesLimits& limits, FileCounts& counts);

  // Resolves when the child has ended.  To be called once.
  kj::Promise<FileResult<TreeCounts>> result();
  // Ends it before its time.
  void stop();

private:
  Programs& programs;
  const Task task;
  const pid_t pid;
  kj::ForkedPromise<ExitStatus> exit;
  bool isAlive = true;
  kj::Promise<void> exitWatch;
  kj::AutoCloseFd archive;
  kj::AutoCloseFd control;  // the confirmation there, the report back
};

// The largest report of a worker that is read.
constexpr size_t MAX_REPORT_BYTES = 64 * 1024;

}  // namespace bothy
