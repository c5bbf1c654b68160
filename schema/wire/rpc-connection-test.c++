#include "wire/rpc-connection.h"

#include <capnp/message.h>
#include <capnp/serialize-async.h>
#include <kj/async-io.h>
#include <catch2/catch_test_macros.hpp>

#include "schema/stream.capnp.h"

namespace bothy {
namespace {

class CountingSink final: public rpc::ByteSink::Server {
public:
  explicit CountingSink(uint64_t& bytes) : bytes(bytes) {}

  kj::Promise<void> write(WriteContext context) override {
    bytes += context.getParams().getData().size();
    return kj::READY_NOW;
  }
  kj::Promise<void> end(EndContext context) override { return kj::READY_NOW; }

private:
  uint64_t& bytes;
};

TEST_CASE("calls reach the capability that the other side offers") {
  auto io = kj::setupAsyncIo();
  auto& scope = io.waitScope;
  auto pipe = io.provider->newTwoWayPipe();
  uint64_t bytes = 0;
  RpcConnection server(kj::mv(pipe.ends[0]), kj::heap<CountingSink>(bytes));
  RpcConnection client(kj::mv(pipe.ends[1]));
  auto sink = client.bootstrap().castAs<rpc::ByteSink>();

  auto request = sink.writeRequest();
  request.initData(3);
  request.send().wait(scope);
  sink.endRequest().send().wait(scope);
  CHECK(bytes == 3);
}

TEST_CASE("dropping one end disconnects the other") {
  auto io = kj::setupAsyncIo();
  auto& scope = io.waitScope;
  auto pipe = io.provider->newTwoWayPipe();
  uint64_t bytes = 0;
  auto server = kj::heap<RpcConnection>(kj::mv(pipe.ends[0]), kj::heap<CountingSink>(bytes));
  RpcConnection client(kj::mv(pipe.ends[1]));
  auto sink = client.bootstrap().castAs<rpc::ByteSink>();
  sink.endRequest().send().wait(scope);
  auto gone = client.onDisconnect();
  CHECK_FALSE(gone.poll(scope));

  server = nullptr;
  gone.wait(scope);
  CHECK_THROWS_AS(sink.endRequest().send().wait(scope), kj::Exception);
}

TEST_CASE("S02 a message over the traversal limit ends the connection") {
  auto io = kj::setupAsyncIo();
  auto& scope = io.waitScope;
  auto pipe = io.provider->newTwoWayPipe();
  uint64_t bytes = 0;
  RpcConnection server(kj::mv(pipe.ends[0]), kj::heap<CountingSink>(bytes));

  // A frame header that claims 2^31 words in its one segment.
  const uint32_t header[2] = {0, 1u << 31};
  pipe.ends[1]->write(header, sizeof(header)).wait(scope);
  server.onDisconnect().wait(scope);
  CHECK(bytes == 0);
}

}  // namespace
}  // namespace bothy
