#include "rpc/socket-receiver.h"

#include <kj/debug.h>

#include <catch2/catch_test_macros.hpp>

#include "wire/socket-stream.h"

namespace bothy {
namespace {

TEST_CASE(
    "what is accepted is a SocketStream of the same connection, and its end is the connection's") {
  auto io = kj::setupAsyncIo();
  auto listening = io.provider->getNetwork().parseAddress("127.0.0.1").wait(io.waitScope)->listen();
  auto port = listening->getPort();
  SocketReceiver receiver(io.unixEventPort, kj::mv(listening));
  CHECK(receiver.getPort() == port);
  auto client = io.provider->getNetwork()
                    .parseAddress("127.0.0.1", port)
                    .wait(io.waitScope)
                    ->connect()
                    .wait(io.waitScope);
  auto accepted = receiver.accept().wait(io.waitScope);
  CHECK(dynamic_cast<SocketStream*>(accepted.get()) != nullptr);
  client->write("abc", 3).wait(io.waitScope);
  char buffer[3];
  accepted->read(buffer, 3).wait(io.waitScope);
  accepted = nullptr;
  CHECK(client->tryRead(buffer, 1, 1).wait(io.waitScope) == 0);
}

TEST_CASE("a failure to accept is passed on, and the next accept is tried") {
  struct Failing final: public kj::ConnectionReceiver {
    uint tries = 0;
    kj::Promise<kj::Own<kj::AsyncIoStream>> accept() override {
      ++tries;
      return KJ_EXCEPTION(OVERLOADED, "no descriptor is left");
    }
    uint getPort() override { return 0; }
  };
  auto io = kj::setupAsyncIo();
  auto failing = kj::heap<Failing>();
  auto& inner = *failing;
  SocketReceiver receiver(io.unixEventPort, kj::mv(failing));
  for (uint i = 1; i <= 2; i++) {
    CHECK(
        receiver.accept()
            .then([](auto&&) { return false; },
                  [](kj::Exception&& e) { return e.getType() == kj::Exception::Type::OVERLOADED; })
            .wait(io.waitScope));
    CHECK(inner.tries == i);
  }
}

}  // namespace
}  // namespace bothy
