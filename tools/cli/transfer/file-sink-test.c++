#include "transfer/file-sink.h"

#include <stdio.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

// A file without a name, and a sink for it.
struct SinkWorld {
  explicit SinkWorld(FileLimits limits)
      : file(tmpfile()),
        io(kj::setupAsyncIo()),
        sink(kj::heap<FileSink>(fileno(file), "f", limits, received)) {}
  ~SinkWorld() noexcept(false) { fclose(file); }

  bool write(size_t bytes) {
    auto request = sink.writeRequest();
    request.initData(static_cast<kj::uint>(bytes));
    return send(request.send());
  }
  bool skip(uint64_t bytes) {
    auto request = sink.skipRequest();
    request.setBytes(bytes);
    return send(request.send());
  }

  FILE* file;
  kj::AsyncIoContext io;
  Received received;
  rpc::SparseSink::Client sink;

private:
  bool send(kj::Promise<void> sent) {
    sent.wait(io.waitScope);
    sink.whenResolved().wait(io.waitScope);
    return received.failure == nullptr;
  }
};

TEST_CASE("S06 a byte between holes counts as the block that it takes on the disk") {
  SinkWorld world({.said = 1 << 30, .space = {3 * DISK_BLOCK_BYTES, false}});
  CHECK(world.write(1));
  CHECK(world.write(DISK_BLOCK_BYTES - 1));  // the same block
  CHECK(world.skip(10 * DISK_BLOCK_BYTES));
  CHECK(world.write(1));
  CHECK(world.skip(DISK_BLOCK_BYTES));
  CHECK(world.write(1));
  CHECK(world.skip(DISK_BLOCK_BYTES));
  CHECK_THROWS_AS(world.write(1), kj::Exception);
  CHECK(world.received.failure != nullptr);
}

TEST_CASE("a file's data may take all the space it may have, in pieces of any size") {
  SinkWorld world({.said = 1 << 30, .space = {3 * DISK_BLOCK_BYTES, false}});
  for (size_t left = 3 * DISK_BLOCK_BYTES; left > 0;) {
    auto piece = kj::min(left, size_t{1000});
    CHECK(world.write(piece));
    left -= piece;
  }
  CHECK_THROWS_AS(world.write(1), kj::Exception);
}

}  // namespace
}  // namespace bothy
