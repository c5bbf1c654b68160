#pragma once

#include <kj/async.h>
#include <kj/function.h>
#include <kj/io.h>
#include <kj/thread.h>

#include "tree/file-problem.h"

namespace bothy {

// Packing or unpacking beside the event loop, which works on one end of a stream of bytes.
//
// Dropping it ends the stream for the work too, whoever holds the other end, and waits for the work: for no peer, but
// for the disk.
class TreeWorker final {
public:
  // Called with the work's end of the stream, in a thread of its own.
  using Work = kj::Function<kj::Maybe<FileProblem>(int fd)>;

  explicit TreeWorker(Work work);
  ~TreeWorker() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(TreeWorker);

  // The other end.  To be taken once.
  kj::AutoCloseFd takeStream() { return kj::mv(stream); }

  // To be called once.  What went wrong, if anything did, is the result() then.
  kj::Promise<void> whenDone() { return kj::mv(done.promise); }
  kj::Maybe<FileProblem>& result() { return problem; }

private:
  kj::AutoCloseFd stream;
  kj::AutoCloseFd own;
  kj::PromiseCrossThreadFulfillerPair<void> done;
  Work work;
  kj::Maybe<FileProblem> problem;
  kj::Own<kj::Thread> thread;
};

}  // namespace bothy
