#pragma once

#include <kj/async-io.h>

#include "schema/stream.capnp.h"

namespace bothy {

// What a FileSink has received.  Must outlive the sink.
struct Received {
  uint64_t bytes = 0;
  bool complete = false;  // `end` came
};

// Writes a stream into an open file, from its current position.
class FileSink final: public rpc::ByteSink::Server {
public:
  // `path` is for messages.  Borrows `fd`.
  FileSink(int fd, kj::StringPtr path, Received& received)
      : fd(fd), path(path), received(received) {}

  kj::Promise<void> write(WriteContext context) override;
  kj::Promise<void> end(EndContext context) override;

private:
  int fd;
  kj::StringPtr path;
  Received& received;
};

// Writes a stream to an output of this process.
class OutputSink final: public rpc::ByteSink::Server {
public:
  OutputSink(kj::AsyncOutputStream& output, Received& received)
      : output(output), received(received) {}

  kj::Promise<void> write(WriteContext context) override;
  kj::Promise<void> end(EndContext context) override;

private:
  kj::AsyncOutputStream& output;
  Received& received;
};

}  // namespace bothy
