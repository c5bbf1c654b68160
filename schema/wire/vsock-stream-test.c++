#include "wire/vsock-stream.h"

#include <kj/async-io.h>
#include <kj/debug.h>
#include <sys/socket.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

kj::Array<kj::byte> pattern(size_t size, kj::uint seed) {
  auto result = kj::heapArray<kj::byte>(size);
  for (auto i : kj::indices(result)) {
    result[i] = static_cast<kj::byte>((i * 31 + seed) % 251);
  }
  return result;
}

TEST_CASE(
    "a read that needs much is woken when much is there, and never waits for more than it needs") {
  auto io = kj::setupAsyncIo();
  auto pipe = io.provider->newTwoWayPipe();
  auto& left = *pipe.ends[0];
  VsockStream right(kj::mv(pipe.ends[1]));
  auto wakeBytes = [&]() {
    int value = 0;
    kj::uint length = sizeof(value);
    right.getsockopt(SOL_SOCKET, SO_RCVLOWAT, &value, &length);
    return static_cast<size_t>(value);
  };
  const size_t rest = 1000;
  auto data = pattern(MAX_WAKE_BYTES + rest, 3);
  auto buffer = kj::heapArray<kj::byte>(2 * data.size());

  auto much = right.tryRead(buffer.begin(), data.size(), buffer.size());
  CHECK_FALSE(much.poll(io.waitScope));
  CHECK(wakeBytes() == MAX_WAKE_BYTES);
  left.write(data.begin(), MAX_WAKE_BYTES).wait(io.waitScope);
  CHECK_FALSE(much.poll(io.waitScope));
  CHECK(wakeBytes() == rest);
  left.write(data.begin() + MAX_WAKE_BYTES, rest).wait(io.waitScope);
  CHECK(much.wait(io.waitScope) == data.size());
  CHECK(buffer.slice(0, data.size()) == data);

  auto little = right.tryRead(buffer.begin(), 1, buffer.size());
  CHECK_FALSE(little.poll(io.waitScope));
  CHECK(wakeBytes() == 1);
  left.shutdownWrite();
  CHECK(little.wait(io.waitScope) == 0);
}

TEST_CASE("what one end writes the other reads, until it shuts down") {
  auto io = kj::setupAsyncIo();
  auto pipe = io.provider->newTwoWayPipe();
  VsockStream left(kj::mv(pipe.ends[0]));
  VsockStream right(kj::mv(pipe.ends[1]));
  auto data = pattern(1024 * 1024, 7);
  auto received = right.readAllBytes();
  left.write(data.begin(), data.size()).wait(io.waitScope);
  left.shutdownWrite();
  CHECK(received.wait(io.waitScope) == data);
}

}  // namespace
}  // namespace bothy
