#include "wire/vsock-stream.h"

#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/vector.h>
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

TEST_CASE(
    "large messages that follow each other are read without a word to the kernel between them") {
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
  auto data = pattern(MAX_WAKE_BYTES, 5);
  auto buffer = kj::heapArray<kj::byte>(data.size());
  constexpr size_t HEAD = 1000;
  auto read = [&](size_t minBytes, size_t maxBytes) {
    return right.tryRead(buffer.begin(), minBytes, maxBytes);
  };

  left.write(data.begin(), data.size()).wait(io.waitScope);
  left.write(data.begin(), HEAD).wait(io.waitScope);
  CHECK(read(data.size(), data.size()).wait(io.waitScope) == data.size());
  CHECK(buffer == data);
  CHECK(wakeBytes() == MAX_WAKE_BYTES);
  CHECK(read(8, 100).wait(io.waitScope) == 100);
  CHECK(wakeBytes() == MAX_WAKE_BYTES);
  // What is not there whole is waited for.
  auto rest = read(HEAD, HEAD);
  CHECK_FALSE(rest.poll(io.waitScope));
  CHECK(wakeBytes() == 1);
  left.write(data.begin() + HEAD, 100).wait(io.waitScope);
  CHECK(rest.wait(io.waitScope) == HEAD);
  CHECK(buffer.slice(0, HEAD) == data.slice(100, HEAD + 100));
}

TEST_CASE("S01 a large message is read in parts, each of which may have to wait") {
  auto io = kj::setupAsyncIo();
  auto pipe = io.provider->newTwoWayPipe();
  auto& left = *pipe.ends[0];
  VsockStream right(kj::mv(pipe.ends[1]));
  constexpr size_t PART = 10'000;
  auto data = pattern(3 * PART, 9);
  auto buffer = kj::heapArray<kj::byte>(data.size());
  kj::Vector<size_t> asked;
  auto room = kj::newPromiseAndFulfiller<void>();
  right.slowReads([&](size_t have) -> kj::Maybe<kj::Promise<void>> {
    asked.add(have);
    if (have != PART) return nullptr;
    return kj::mv(room.promise);
  });

  left.write(data.begin(), PART).wait(io.waitScope);
  auto reading = right.tryRead(buffer.begin(), data.size(), data.size());
  CHECK_FALSE(reading.poll(io.waitScope));
  CHECK(asked == kj::arr<size_t>(0, PART));
  left.write(data.begin() + PART, 2 * PART).wait(io.waitScope);
  CHECK_FALSE(reading.poll(io.waitScope));
  room.fulfiller->fulfill();
  CHECK(reading.wait(io.waitScope) == data.size());
  CHECK(buffer == data);
}

TEST_CASE("S01 others have their turn while a peer that never pauses sends a large message") {
  auto io = kj::setupAsyncIo();
  auto pipe = io.provider->newTwoWayPipe();
  auto& left = *pipe.ends[0];
  VsockStream right(kj::mv(pipe.ends[1]));
  constexpr size_t PART = 1000, PARTS = 100;
  auto data = pattern(PARTS * PART, 11);
  auto buffer = kj::heapArray<kj::byte>(data.size());
  const int leftSocket = KJ_ASSERT_NONNULL(left.getFd());
  kj::Promise<void> others = nullptr;
  size_t parts = 0, mostParts = 0;  // read since others had their turn
  // As a part is asked for, it is there.
  right.slowReads([&](size_t have) -> kj::Maybe<kj::Promise<void>> {
    if (parts == 0) {
      others = kj::evalLater([&]() { parts = 0; }).eagerlyEvaluate(nullptr);
    }
    mostParts = kj::max(mostParts, ++parts);
    KJ_ASSERT(::send(leftSocket, data.begin() + have, PART, 0) == PART);
    return nullptr;
  });
  CHECK(right.tryRead(buffer.begin(), data.size(), data.size()).wait(io.waitScope) == data.size());
  CHECK(mostParts <= TURN_VSOCK_READS + 1);
  CHECK(buffer == data);
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
