#pragma once

#include <kj/async-io.h>

#include "schema/files.capnp.h"
#include "transfer/space-limit.h"
#include "tree/disk-blocks.h"

namespace bothy {

// What a sink has received.  Must outlive it.
struct Received {
  uint64_t bytes = 0;   // with holes
  uint64_t onDisk = 0;  // the space that it takes
  DiskBlocks blocks;
  bool complete = false;  // `end` came
  // Why this side takes no more.  The sender learns only that it is so.
  kj::Maybe<kj::Exception> failure;
};

// What is taken of a file at most.
struct FileLimits {
  uint64_t said;  // as the workspace has it: its bytes, with holes
  SpaceLimit space;
};

// Writes a stream into a new file, from its beginning, holes as holes.
class FileSink final: public rpc::SparseSink::Server {
public:
  // `path` is for messages.  Borrows `fd`.  More than `limits` allow is refused.
  FileSink(int fd, kj::StringPtr path, FileLimits limits, Received& received)
      : fd(fd), path(path), limits(limits), received(received) {}

  kj::Promise<void> write(WriteContext context) override;
  kj::Promise<void> skip(SkipContext context) override;
  kj::Promise<void> end(EndContext context) override;

private:
  int fd;
  kj::StringPtr path;
  FileLimits limits;
  Received& received;

  void requireRoomFor(uint64_t bytes);
  void requireSpaceFor(uint64_t bytes);
  [[noreturn]] void fail(kj::String why);
};

}  // namespace bothy
