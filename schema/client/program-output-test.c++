#include "client/program-output.h"

#include <kj/debug.h>
#include <kj/vector.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "wire/rpc-connection.h"

namespace bothy {
namespace {

constexpr size_t CHUNK_BYTES = 256 * 1024;

kj::byte byteAt(uint64_t position) {
  return static_cast<kj::byte>((position * 31 + position / CHUNK_BYTES) % 251);
}

// What a workspace's agent sends: chunks, one after the other, from `position` on.
struct Sender {
  RpcConnection sink;
  kj::Maybe<RpcConnection> connection;
  kj::Vector<kj::Promise<void>> sent;

  Sender(kj::TwoWayPipe pipe, rpc::ByteSink::Client output)
      : sink(kj::mv(pipe.ends[0]), kj::mv(output)) {
    connection.emplace(kj::mv(pipe.ends[1]));
  }

  void send(uint64_t position, kj::uint chunks) {
    auto client = KJ_ASSERT_NONNULL(connection).bootstrap().castAs<rpc::ByteSink>();
    for (; chunks > 0; --chunks) {
      auto request = client.writeRequest();
      for (auto& byte : request.initData(CHUNK_BYTES)) byte = byteAt(position++);
      sent.add(request.send());
    }
  }
};

TEST_CASE("P41 a slow reader gets each byte once and in order, wherever its lane breaks") {
  auto io = kj::setupAsyncIo();
  auto& scope = io.waitScope;
  auto pipe = kj::newOneWayPipe();
  ProgramOutput output(*pipe.out);
  auto shown = output.show().eagerlyEvaluate(nullptr);
  const kj::uint chunks = 12;
  // Nobody reads yet: the calls of each lane queue behind its first ones, and are cancelled with it.
  for (int lane = 0; output.position() < chunks * CHUNK_BYTES && lane < 3; ++lane) {
    Sender sender(io.provider->newTwoWayPipe(), output.newSink());
    const auto begin = output.position();
    sender.send(begin, 4);
    CHECK_FALSE(kj::Promise<void>(kj::NEVER_DONE).poll(scope));
    // It gets the number of the one that is over, and is cancelled after those with larger ones.
    sender.send(begin + 4 * CHUNK_BYTES, 1);
    CHECK_FALSE(kj::Promise<void>(kj::NEVER_DONE).poll(scope));
    sender.connection = nullptr;
    CHECK_FALSE(kj::Promise<void>(kj::NEVER_DONE).poll(scope));
  }
  auto reading = pipe.in->readAllBytes();
  CHECK_FALSE(reading.poll(scope));
  output.finish();
  shown.wait(scope);
  pipe.out = nullptr;
  auto bytes = reading.wait(scope);
  CHECK(bytes.size() == output.position());
  size_t wrong = 0;
  for (auto i : kj::indices(bytes)) wrong += bytes[i] != byteAt(i);
  CHECK(wrong == 0);
}

TEST_CASE(
    "P41 what a workspace could not keep of an output is counted, and what follows it goes on "
    "behind") {
  auto io = kj::setupAsyncIo();
  auto& scope = io.waitScope;
  auto pipe = kj::newOneWayPipe();
  ProgramOutput output(*pipe.out, 100);
  auto shown = output.show().eagerlyEvaluate(nullptr);
  auto sink = output.newSink();
  auto send = [&](kj::StringPtr text) {
    auto request = sink.writeRequest();
    request.setData(text.asBytes());
    request.send().wait(scope);
  };
  auto lose = [&](uint64_t bytes) {
    auto request = sink.gapRequest();
    request.setLost(bytes);
    return request.send().ignoreResult();
  };
  send("one");
  lose(40).wait(scope);
  send("two");
  CHECK(output.position() == 46);
  CHECK(output.lost() == 40);
  auto ended = output.onEnd();
  CHECK_FALSE(ended.poll(scope));
  CHECK_THROWS(lose(GENERATE(uint64_t{55}, UINT64_MAX)).wait(scope));
  CHECK(output.position() == 46);
  CHECK(output.wasTooMuch());
  CHECK(ended.poll(scope));
  auto reading = pipe.in->readAllText();
  output.finish();
  shown.wait(scope);
  pipe.out = nullptr;
  CHECK(reading.wait(scope) == "onetwo");
}

}  // namespace
}  // namespace bothy
