#include "wire/socket-stream.h"

#include <kj/debug.h>
#include <kj/vector.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "support/few-files.h"

namespace bothy {
namespace {

// A stream and the other end of its socket.
struct Fixture {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  kj::AutoCloseFd peer;
  kj::Own<SocketStream> stream;

  Fixture() {
    int ends[2];
    KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
    peer = kj::AutoCloseFd(ends[0]);
    stream = kj::heap<SocketStream>(io.unixEventPort, kj::AutoCloseFd(ends[1]));
  }

  void say(kj::StringPtr text) {
    ssize_t count;
    KJ_SYSCALL(count = ::write(peer, text.begin(), text.size()));
    REQUIRE(static_cast<size_t>(count) == text.size());
  }

  // Reads what is there, which must go on as pattern() does, and returns how much came before it and with it.
  size_t drain(size_t before) {
    kj::byte buffer[64 * 1024];
    ssize_t count;
    bool isSame = true;
    while ((count = ::read(peer, buffer, sizeof(buffer))) > 0) {
      for (auto byte : kj::arrayPtr(buffer, static_cast<size_t>(count))) {
        isSame = isSame && byte == before++ % PERIOD;
      }
    }
    CHECK(isSame);
    return before;
  }

  static constexpr size_t PERIOD = 251;
  // More than a socket holds.
  static kj::Array<kj::byte> pattern() {
    auto data = kj::heapArray<kj::byte>(4 * 1024 * 1024);
    for (auto i : kj::indices(data)) data[i] = static_cast<kj::byte>(i % PERIOD);
    return data;
  }
};

// How many descriptors this program's epolls watch for writing: proc_pid_fdinfo(5).
size_t watchedForWriting() {
  size_t count = 0;
  for (auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
    std::ifstream info(entry.path());
    std::string line;
    while (std::getline(info, line)) {
      unsigned events = 0;
      if (sscanf(line.c_str(), "tfd: %*d events: %x", &events) == 1 && (events & EPOLLOUT) != 0)
        ++count;
    }
  }
  return count;
}

TEST_CASE("a socket's read waits for as much as it needs, and ends with the stream") {
  Fixture f;
  char buffer[16] = {};
  auto reading = f.stream->tryRead(buffer, 5, sizeof(buffer));
  CHECK_FALSE(reading.poll(f.scope));
  f.say("abc");
  CHECK_FALSE(reading.poll(f.scope));
  f.say("defg");
  CHECK(reading.wait(f.scope) == 7);
  CHECK(kj::heapString(buffer, 7) == "abcdefg");

  f.say("xy");
  f.peer = nullptr;
  CHECK(f.stream->tryRead(buffer, 5, sizeof(buffer)).wait(f.scope) == 2);
  CHECK(f.stream->tryRead(buffer, 1, sizeof(buffer)).wait(f.scope) == 0);
  f.scope.poll();
  CHECK(f.stream->whenWriteDisconnected().poll(f.scope));
}

TEST_CASE("P06 a socket's write waits while its peer reads nothing, and loses nothing") {
  Fixture f;
  auto data = Fixture::pattern();
  auto writing = f.stream->write(data.begin(), data.size());
  CHECK_FALSE(writing.poll(f.scope));
  CHECK(watchedForWriting() == 1);
  // Reading goes on meanwhile.
  char byte;
  auto reading = f.stream->tryRead(&byte, 1, 1);
  CHECK_FALSE(reading.poll(f.scope));
  f.say("x");
  CHECK(reading.wait(f.scope) == 1);

  size_t came = 0;
  while (!writing.poll(f.scope)) came = f.drain(came);
  writing.wait(f.scope);
  CHECK(f.drain(came) == data.size());
  CHECK(watchedForWriting() == 0);
}

TEST_CASE("a socket is watched for writing only while a write waits") {
  Fixture f;
  char byte;
  auto reading = f.stream->tryRead(&byte, 1, 1);
  CHECK_FALSE(reading.poll(f.scope));
  CHECK(watchedForWriting() == 0);
  f.stream->write("abc", 3).wait(f.scope);
  char taken[3];
  CHECK(::read(f.peer, taken, sizeof(taken)) == sizeof(taken));
  CHECK(watchedForWriting() == 0);
}

TEST_CASE("a socket's write that waits is given up, and one whose peer goes fails") {
  Fixture f;
  auto data = Fixture::pattern();
  {
    auto writing = f.stream->write(data.begin(), data.size());
    CHECK_FALSE(writing.poll(f.scope));
  }
  CHECK(watchedForWriting() == 0);
  auto writing =
      f.stream->write(data.begin(), data.size())
          .then([]() { return false; },
                [](kj::Exception&& e) { return e.getType() == kj::Exception::Type::DISCONNECTED; });
  CHECK_FALSE(writing.poll(f.scope));
  f.peer = nullptr;
  CHECK(writing.wait(f.scope));
}

TEST_CASE("a socket's write waits also where no descriptor is left") {
  Fixture f;
  auto data = Fixture::pattern();
  kj::Maybe<FewFiles> none;
  none.emplace(0);
  auto writing = f.stream->write(data.begin(), data.size());
  const bool isWaiting = !writing.poll(f.scope);
  none = nullptr;
  CHECK(isWaiting);
  CHECK(watchedForWriting() == 0);

  size_t came = 0;
  while (!writing.poll(f.scope)) {
    came = f.drain(came);
    f.io.provider->getTimer().afterDelay(SocketStream::WRITE_RETRY).wait(f.scope);
  }
  writing.wait(f.scope);
  CHECK(f.drain(came) == data.size());
}

TEST_CASE("a socket's gathered write goes in its order, and each direction ends by itself") {
  Fixture f;
  const kj::ArrayPtr<const kj::byte> pieces[] = {"ab"_kj.asBytes(), nullptr, "cde"_kj.asBytes()};
  f.stream->write(pieces).wait(f.scope);
  f.stream->shutdownWrite();
  char buffer[8] = {};
  CHECK(::read(f.peer, buffer, sizeof(buffer)) == 5);
  CHECK(kj::StringPtr(buffer) == "abcde");
  CHECK(::read(f.peer, buffer, sizeof(buffer)) == 0);
  f.say("x");
  CHECK(f.stream->tryRead(buffer, 1, sizeof(buffer)).wait(f.scope) == 1);
  auto reading = f.stream->tryRead(buffer, 1, sizeof(buffer));
  CHECK_FALSE(reading.poll(f.scope));
  f.stream->abortRead();
  CHECK(reading.wait(f.scope) == 0);
}

// The packets of one write: a SOCK_SEQPACKET keeps what each call wrote apart.
struct Packets {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::AutoCloseFd peer;
  kj::Own<SocketStream> stream;

  Packets() {
    int ends[2];
    KJ_SYSCALL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
    peer = kj::AutoCloseFd(ends[0]);
    stream = kj::heap<SocketStream>(io.unixEventPort, kj::AutoCloseFd(ends[1]));
  }

  // What `write` wrote: its bytes, and the sizes of its packets in `sizes`.
  std::string of(kj::Promise<void> write, std::vector<size_t>& sizes) {
    std::string bytes;
    auto buffer = kj::heapArray<char>(2 * MAX_VSOCK_WRITE_BYTES);
    bool isDone = false;
    auto done = write.then([&]() { isDone = true; }).eagerlyEvaluate(nullptr);
    for (;;) {
      done.poll(io.waitScope);
      auto count = ::recv(peer, buffer.begin(), buffer.size(), 0);
      if (count < 0 && isDone) return bytes;
      if (count < 0) continue;
      sizes.push_back(static_cast<size_t>(count));
      bytes.append(buffer.begin(), static_cast<size_t>(count));
    }
  }
};

std::string numbered(size_t size, size_t from) {
  std::string text(size, ' ');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i + from) % Fixture::PERIOD);
  return text;
}

kj::ArrayPtr<const kj::byte> asBytes(const std::string& text) {
  return kj::arrayPtr(text.data(), text.size()).asBytes();
}

TEST_CASE("a long write is split below 32 KiB and keeps its bytes") {
  Packets f;
  // More than the socket holds: the rest waits.
  auto data = numbered(40 * MAX_VSOCK_WRITE_BYTES + 5, 1);
  std::vector<size_t> sizes;
  CHECK(f.of(f.stream->write(data.data(), data.size()), sizes) == data);
  REQUIRE(sizes.size() == 41);
  for (auto size : sizes) CHECK(size <= MAX_VSOCK_WRITE_BYTES);
}

TEST_CASE("the small pieces of one write leave in one packet") {
  Packets f;
  auto a = numbered(8, 1), b = numbered(40, 2), c = numbered(0, 3), d = numbered(17, 4);
  kj::ArrayPtr<const kj::byte> pieces[] = {asBytes(a), asBytes(b), asBytes(c), asBytes(d)};
  std::vector<size_t> sizes;
  CHECK(f.of(f.stream->write(pieces), sizes) == a + b + d);
  CHECK(sizes == std::vector<size_t>{65});
}

TEST_CASE("large pieces between small ones fill packets and stay in order") {
  Packets f;
  auto a = numbered(8, 1), b = numbered(2 * MAX_VSOCK_WRITE_BYTES + 100, 2), c = numbered(20, 3);
  kj::ArrayPtr<const kj::byte> pieces[] = {asBytes(a), asBytes(b), asBytes(c)};
  std::vector<size_t> sizes;
  CHECK(f.of(f.stream->write(pieces), sizes) == a + b + c);
  CHECK(sizes == std::vector<size_t>{MAX_VSOCK_WRITE_BYTES, MAX_VSOCK_WRITE_BYTES, 128});
}

TEST_CASE("more pieces than one call takes leave in order") {
  Packets f;
  kj::Vector<kj::ArrayPtr<const kj::byte>> pieces;
  std::string expected;
  auto a = numbered(100, 1);
  for (size_t i = 0; i < 100; ++i) {
    auto piece = asBytes(a).slice(i, 100);
    pieces.add(piece);
    expected += a.substr(i);
  }
  std::vector<size_t> sizes;
  CHECK(f.of(f.stream->write(pieces), sizes) == expected);
}

TEST_CASE("an empty write reaches nobody") {
  Packets f;
  std::vector<size_t> sizes;
  CHECK(f.of(f.stream->write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>>()), sizes).empty());
  CHECK(sizes.empty());
}

}  // namespace
}  // namespace bothy
