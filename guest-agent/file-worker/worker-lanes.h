#pragma once

#include <kj/async-io.h>

#include "file-worker/worker-socket.h"
#include "files/file-counts.h"
#include "files/files-limits.h"
#include "files/workspace-root.h"
#include "process/programs.h"
#include "rpc/lane-memory.h"
#include "rpc/lane-server.h"
#include "schema/file-worker.capnp.h"

namespace bothy {

// What the lanes of one worker may hold of what their clients send and do not read.
constexpr size_t WORKER_MEMORY_BYTES = 16 * 1024 * 1024;
// Those of one actor, whoever that is: such lanes are given away for little.
constexpr size_t WORKER_ACTOR_BYTES = WORKER_MEMORY_BYTES / 4 * 3;

// The lanes that this process, a file worker, serves.
class WorkerLanes final: private kj::TaskSet::ErrorHandler {
public:
  // `programs` outlives it.
  explicit WorkerLanes(Programs& programs);
  ~WorkerLanes() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(WorkerLanes);

  // Serves what comes over `agent`, until that ends, counts it in the eventfd `receipts`, and tells of each end over the pipe `reports`.
  kj::Promise<void> receive(int agent, int receipts, int reports);
  bool isServing() const { return count > 0; }
  // Resolves when no flush of a file is under way.
  kj::Promise<void> onFlushed() { return disk.onIdle(); }

private:
  Programs& programs;
  WorkspaceRoot root;
  MessageBudget memory{lanesLimits(WORKER_MEMORY_BYTES, WORKER_ACTOR_BYTES)};
  DiskFlush disk;
  FilesLimits limits{memory, disk};
  LaneServer server;
  uint count = 0;
  kj::TaskSet serving;

  kj::Promise<void> serve(int reports, kj::Array<capnp::word> message, kj::AutoCloseFd socket);
  kj::Promise<kj::Maybe<kj::String>> serveFiles(rpc::HandedLane::Reader lane,
                                                kj::AutoCloseFd socket, FileCounters& counters);
  kj::Maybe<kj::AutoCloseFd> openBeneath(kj::ArrayPtr<const kj::byte> path) const;
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
