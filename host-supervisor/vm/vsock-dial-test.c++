#include "vm/vsock-dial.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include <filesystem>

#include "loop/testing/lingering-socket.h"

namespace bothy {
namespace {

// A vsock device that answers `answer` to the first line.
struct Fixture {
  explicit Fixture(kj::StringPtr answer) : io(kj::setupAsyncIo()) {
    char name[] = "/tmp/bothy-dial-XXXXXX";
    KJ_REQUIRE(mkdtemp(name) != nullptr);
    directory = kj::str(name);
    auto address =
        io.provider->getNetwork().parseAddress(kj::str("unix:", path())).wait(io.waitScope);
    receiver = address->listen();
    device = serve(answer).eagerlyEvaluate(nullptr);
  }
  ~Fixture() { std::filesystem::remove_all(directory.cStr()); }

  kj::String path() { return kj::str(directory, "/dial"); }

  kj::Promise<void> serve(kj::StringPtr answer) {
    peer = co_await receiver->accept();
    char line[sizeof("CONNECT 52\n") - 1];
    size_t count = co_await peer->tryRead(line, sizeof(line), sizeof(line));
    request = kj::heapString(line, count);
    if (count < sizeof(line)) co_return;
    if (lingers) {
      // It keeps no copy.
      LingeringSocket passed;
      int fds[] = {passed.socket.get()};
      lingering = kj::mv(passed.peer);
      auto& socket = dynamic_cast<kj::AsyncCapabilityStream&>(*peer);
      co_await socket.writeWithFds(answer.asBytes(), nullptr, fds);
    } else {
      co_await peer->write(answer.begin(), answer.size());
    }
    if (!keepsOpen) peer->shutdownWrite();
  }

  auto dial(uint32_t user) { return dialVsockDevice(*io.lowLevelProvider, path(), user, 52); }

  kj::Exception::Type failure(uint32_t user) {
    return dial(user)
        .then([](auto) { return kj::Exception::Type::UNIMPLEMENTED; },
              [](kj::Exception&& e) { return e.getType(); })
        .wait(io.waitScope);
  }

  bool lingers = false;  // sends a descriptor with its answer
  bool keepsOpen = false;
  kj::AutoCloseFd lingering;
  kj::AsyncIoContext io;
  kj::String directory;
  kj::Own<kj::ConnectionReceiver> receiver;
  kj::Own<kj::AsyncIoStream> peer;
  kj::String request;
  kj::Promise<void> device = nullptr;
};

TEST_CASE("a dial through a vsock device leaves what follows the answer to the reader") {
  Fixture f("OK 1073741824\nhello");
  auto stream = f.dial(getuid()).wait(f.io.waitScope);
  CHECK(stream->readAllText().wait(f.io.waitScope) == "hello");
  CHECK(f.request == "CONNECT 52\n");
}

TEST_CASE(
    "a vsock port that refuses is DISCONNECTED, and so are a device that is away or babbles") {
  auto disconnected = kj::Exception::Type::DISCONNECTED;
  CHECK(Fixture("").failure(getuid()) == disconnected);
  CHECK(Fixture("no\n").failure(getuid()) == disconnected);
  CHECK(Fixture("OK 000000000000000000000000000000000000000000000").failure(getuid()) ==
        disconnected);
  Fixture away("");
  unlink(away.path().cStr());
  CHECK(away.failure(getuid()) == disconnected);
}

TEST_CASE("S20 a dial socket of another user is not used") {
  Fixture f("OK 1\n");
  CHECK(f.failure(getuid() + 1) == kj::Exception::Type::DISCONNECTED);
  CHECK(f.request.size() == 0);
}

TEST_CASE("S15 a vsock device that answers with a descriptor is not used, and holds nobody up") {
  Fixture f("OK 1\n");
  f.lingers = true;
  auto& clock = kj::systemPreciseMonotonicClock();
  const auto begin = clock.now();
  auto why = f.dial(getuid())
                 .then([](auto) { return kj::str("it was dialled"); },
                       [](kj::Exception&& e) { return kj::str(e.getDescription()); })
                 .wait(f.io.waitScope);
  CHECK(strstr(why.cStr(), "descriptor") != nullptr);
  CHECK(clock.now() - begin < LingeringSocket::LINGER / 2);
}

TEST_CASE("S15 a stream through a vsock device that sent a descriptor is dropped at once") {
  Fixture f("OK 1\n");
  f.keepsOpen = true;
  auto stream = f.dial(getuid()).wait(f.io.waitScope);
  auto& clock = kj::systemPreciseMonotonicClock();
  auto begin = clock.now();
  auto pass = [&]() {
    LingeringSocket passed;
    int fds[] = {passed.socket.get()};
    f.lingering = kj::mv(passed.peer);
    dynamic_cast<kj::AsyncCapabilityStream&>(*f.peer)
        .writeWithFds("x"_kj.asBytes(), nullptr, fds)
        .wait(f.io.waitScope);
    begin = clock.now();
  };
  pass();
  SECTION("it was not read") {
    stream = nullptr;
  }
  SECTION("it was read") {
    char byte;
    CHECK_THROWS_AS(stream->tryRead(&byte, 1, 1).wait(f.io.waitScope), kj::Exception);
    stream = nullptr;
  }
  CHECK(clock.now() - begin < LingeringSocket::LINGER / 2);
}

}  // namespace
}  // namespace bothy
