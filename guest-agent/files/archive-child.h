#pragma once

#include <kj/async-io.h>

#include "files/acting-user.h"
#include "files/workspace-root.h"
#include "process/process-host.h"
#include "wire/byte-sink.h"

namespace bothy {

struct TreeCounts {
  uint64_t entries = 0;
  uint64_t skipped = 0;
};

// One packing or unpacking, in a child with the rights of the user: see archive-worker.h.  Dropping it
// kills the child.
class ArchiveChild final {
public:
  enum class Task { PACK, UNPACK };

  // `directory` as the worker's descriptor 0; `name` in it, to PACK.
  static kj::Promise<FileResult<kj::Own<ArchiveChild>>> start(ProcessHost& host,
                                                              const ActingUser& user, Task task,
                                                              kj::AutoCloseFd directory,
                                                              kj::String name);

  ArchiveChild(ProcessHost& host, SpawnedProcess process, kj::AutoCloseFd archive,
               kj::AutoCloseFd report);
  ~ArchiveChild() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(ArchiveChild);

  // UNPACK: where the archive goes; closing it is its end.  To be taken once.
  kj::Own<kj::AsyncOutputStream> takeInput();
  // PACK: sends the archive to its end.
  kj::Promise<void> pumpTo(SinkWriter& writer);

  // Resolves when the child has ended.  To be called once.
  kj::Promise<FileResult<TreeCounts>> result();
  void kill();

private:
  ProcessHost& host;
  SpawnedProcess process;
  kj::AutoCloseFd archive;
  kj::AutoCloseFd report;
};

// The largest report of a worker that is read.
constexpr size_t MAX_REPORT_BYTES = 64 * 1024;

}  // namespace bothy
