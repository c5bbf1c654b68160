#include "wire/byte-sink.h"

#include <kj/async-io.h>
#include <catch2/catch_test_macros.hpp>

#include "schema/limits.capnp.h"
#include "wire/rpc-connection.h"
#include "wire/rpc-network.h"

namespace bothy {
namespace {

// A stream that takes a write only when it is told to.
class GatedStream final: public kj::AsyncOutputStream {
public:
  struct State {
    kj::Vector<kj::byte> bytes;
    uint writes = 0;
    kj::PromiseFulfillerPair<void> arrived = kj::newPromiseAndFulfiller<void>();
    kj::PromiseFulfillerPair<void> gate = kj::newPromiseAndFulfiller<void>();
    bool open = false;
    bool dropped = false;
  };
  explicit GatedStream(State& state) : state(state) {}
  ~GatedStream() noexcept(false) { state.dropped = true; }

  kj::Promise<void> write(const void* data, size_t size) override {
    auto begin = static_cast<const kj::byte*>(data);
    ++state.writes;
    if (!state.open) {
      state.arrived.fulfiller->fulfill();
      co_await kj::mv(state.gate.promise);
    }
    state.bytes.addAll(begin, begin + size);
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    for (auto& piece : pieces) co_await write(piece.begin(), piece.size());
  }
  kj::Promise<void> whenWriteDisconnected() override { return kj::NEVER_DONE; }

private:
  State& state;
};

struct Wire {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::TwoWayPipe pipe = io.provider->newTwoWayPipe();
  GatedStream::State state;
  kj::PromiseFulfillerPair<void> ended = kj::newPromiseAndFulfiller<void>();
  kj::Own<RpcConnection> server = kj::heap<RpcConnection>(
      kj::mv(pipe.ends[0]), newByteSink(kj::heap<GatedStream>(state), kj::mv(ended.fulfiller)));
  kj::Own<RpcConnection> client = kj::heap<RpcConnection>(kj::mv(pipe.ends[1]));

  rpc::ByteSink::Client sink() { return client->bootstrap().castAs<rpc::ByteSink>(); }
};

kj::Array<kj::byte> pattern(size_t size) {
  auto result = kj::heapArray<kj::byte>(size);
  for (auto i : kj::indices(result)) result[i] = static_cast<kj::byte>(i * 31 + (i >> 8));
  return result;
}

TEST_CASE("every byte pumped into a sink arrives, in order, and then the end") {
  Wire wire;
  auto& scope = wire.io.waitScope;
  wire.state.open = true;
  auto source = kj::newOneWayPipe();
  auto bytes = pattern(1'000'000);
  auto feeding = source.out->write(bytes.begin(), bytes.size())
                     .then([&] { source.out = nullptr; })
                     .eagerlyEvaluate(nullptr);

  SinkWriter writer(wire.sink());
  CHECK(pumpToSink(*source.in, writer).wait(scope) == bytes.size());
  writer.end().wait(scope);
  wire.ended.promise.wait(scope);
  CHECK(wire.state.bytes.asPtr() == bytes.asPtr());
  CHECK(wire.state.dropped);
}

TEST_CASE("a stream that does not take bytes holds the sender back") {
  Wire wire;
  auto& scope = wire.io.waitScope;
  auto chunk = pattern(rpc::PREFERRED_CHUNK_BYTES);
  SinkWriter writer(wire.sink());
  for (size_t i = 0; i < WINDOW_MESSAGES; ++i) writer.send(chunk).wait(scope);
  auto last = writer.send(chunk);
  CHECK_FALSE(last.poll(scope));

  wire.state.arrived.promise.wait(scope);
  CHECK_FALSE(last.poll(scope));
  CHECK(wire.state.writes == 1);

  wire.state.open = true;
  wire.state.gate.fulfiller->fulfill();
  last.wait(scope);
  writer.end().wait(scope);
  CHECK(wire.state.bytes.size() == (WINDOW_MESSAGES + 1) * chunk.size());
}

TEST_CASE("a buffer that was filled in part is sent in part") {
  Wire wire;
  auto& scope = wire.io.waitScope;
  wire.state.open = true;
  SinkWriter writer(wire.sink());
  auto space = writer.buffer(rpc::MAX_CHUNK_BYTES);
  space[0] = 'x';
  space[1] = 'y';
  writer.send(2).wait(scope);
  writer.end().wait(scope);
  REQUIRE(wire.state.bytes.size() == 2);
  CHECK(wire.state.bytes[1] == 'y');
}

TEST_CASE("dropping the sink without an end is told as a broken stream") {
  Wire wire;
  auto& scope = wire.io.waitScope;
  wire.state.open = true;
  {
    SinkWriter writer(wire.sink());
    writer.send(pattern(3)).wait(scope);
  }
  CHECK_FALSE(wire.ended.promise.poll(scope));
  wire.server = nullptr;
  CHECK_THROWS_AS(wire.ended.promise.wait(scope), kj::Exception);
  CHECK(wire.state.dropped);
}

TEST_CASE("S02 a chunk over the limit fails, and so does all that follows") {
  Wire wire;
  auto& scope = wire.io.waitScope;
  wire.state.open = true;
  auto sink = wire.sink();
  auto request = sink.writeRequest();
  request.initData(rpc::MAX_CHUNK_BYTES + 1);
  auto sent = request.send();
  CHECK_THROWS_AS(sent.then([&] { return sink.endRequest().send().ignoreResult(); }).wait(scope),
                  kj::Exception);
  CHECK(wire.state.bytes.size() == 0);
}

}  // namespace
}  // namespace bothy
