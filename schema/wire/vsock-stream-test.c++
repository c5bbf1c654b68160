#include "wire/vsock-stream.h"

#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/vector.h>
#include <sys/socket.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

// Notes the size of each write and keeps the bytes.
class RecordingStream final: public kj::AsyncIoStream {
public:
  RecordingStream(kj::Vector<size_t>& writes, kj::Vector<kj::byte>& bytes)
      : writes(writes), bytes(bytes) {}

  kj::Promise<size_t> tryRead(void*, size_t, size_t) override { return size_t(0); }
  kj::Promise<void> write(const void* buffer, size_t size) override {
    writes.add(size);
    auto begin = reinterpret_cast<const kj::byte*>(buffer);
    bytes.addAll(begin, begin + size);
    // Not at once: the caller must keep its buffer until then.
    return kj::evalLater([]() {});
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>>) override {
    KJ_FAIL_ASSERT("a gathered write reached the socket");
  }
  kj::Promise<void> whenWriteDisconnected() override { return kj::NEVER_DONE; }
  void shutdownWrite() override {}

private:
  kj::Vector<size_t>& writes;
  kj::Vector<kj::byte>& bytes;
};

struct Fixture {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::Vector<size_t> writes;
  kj::Vector<kj::byte> bytes;
  VsockStream stream{kj::heap<RecordingStream>(writes, bytes)};
};

kj::Array<kj::byte> pattern(size_t size, kj::uint seed) {
  auto result = kj::heapArray<kj::byte>(size);
  for (auto i : kj::indices(result)) {
    result[i] = static_cast<kj::byte>((i * 31 + seed) % 251);
  }
  return result;
}

TEST_CASE("a long write is split below 32 KiB and keeps its bytes") {
  Fixture f;
  auto data = pattern(3 * MAX_VSOCK_WRITE_BYTES + 5, 1);
  f.stream.write(data.begin(), data.size()).wait(f.scope);
  REQUIRE(f.writes.size() == 4);
  for (auto size : f.writes) {
    CHECK(size <= MAX_VSOCK_WRITE_BYTES);
  }
  CHECK(f.bytes.asPtr() == data.asPtr());
}

TEST_CASE("the small pieces of one write leave in one packet") {
  Fixture f;
  auto a = pattern(8, 1), b = pattern(40, 2), c = pattern(0, 3), d = pattern(17, 4);
  kj::ArrayPtr<const kj::byte> pieces[] = {a, b, c, d};
  f.stream.write(pieces).wait(f.scope);
  REQUIRE(f.writes.size() == 1);
  CHECK(f.writes[0] == 65);
  CHECK(f.bytes.asPtr().slice(8, 48) == b.asPtr());
}

TEST_CASE("large pieces between small ones fill packets and stay in order") {
  Fixture f;
  auto a = pattern(8, 1), b = pattern(2 * MAX_VSOCK_WRITE_BYTES + 100, 2), c = pattern(20, 3);
  kj::ArrayPtr<const kj::byte> pieces[] = {a, b, c};
  f.stream.write(pieces).wait(f.scope);
  kj::Vector<kj::byte> expected;
  for (auto piece : pieces) {
    expected.addAll(piece);
  }
  REQUIRE(f.writes.size() == 3);
  CHECK(f.writes[0] == MAX_VSOCK_WRITE_BYTES);
  CHECK(f.writes[1] == MAX_VSOCK_WRITE_BYTES);
  CHECK(f.writes[2] == 128);
  CHECK(f.bytes.asPtr() == expected.asPtr());
}

TEST_CASE("an empty write reaches nobody") {
  Fixture f;
  f.stream.write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>>()).wait(f.scope);
  CHECK(f.writes.empty());
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
