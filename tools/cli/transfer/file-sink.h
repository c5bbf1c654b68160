#pragma once

#include <kj/async-io.h>

#include "schema/files.capnp.h"

namespace bothy {

// What a sink has received.  Must outlive it.
struct Received {
  uint64_t bytes = 0;     // with holes
  bool complete = false;  // `end` came
  // Why this side takes no more.  The sender learns only that it is so.
  kj::Maybe<kj::Exception> failure;
};

// Writes a stream into a new file, from its beginning, holes as holes.
class FileSink final: public rpc::SparseSink::Server {
public:
  // `path` is for messages.  Borrows `fd`.  More than `limit` bytes are refused.
  FileSink(int fd, kj::StringPtr path, uint64_t limit, Received& received)
      : fd(fd), path(path), limit(limit), received(received) {}

  kj::Promise<void> write(WriteContext context) override;
  kj::Promise<void> skip(SkipContext context) override;
  kj::Promise<void> end(EndContext context) override;

private:
  int fd;
  kj::StringPtr path;
  uint64_t limit;
  Received& received;

  void requireRoomFor(uint64_t bytes);
  [[noreturn]] void fail(kj::String why);
};

}  // namespace bothy
