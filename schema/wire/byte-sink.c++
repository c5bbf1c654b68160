#include "wire/byte-sink.h"

#include <capnp/message.h>

#include "schema/limits.capnp.h"
#include "wire/stream-order.h"

namespace bothy {
namespace {

class StreamSink final: public rpc::ByteSink::Server {
public:
  StreamSink(kj::Own<kj::AsyncOutputStream> output,
             kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> ended)
      : output(kj::mv(output)), ended(kj::mv(ended)) {}

  ~StreamSink() noexcept(false) {
    KJ_IF_MAYBE (fulfiller, ended) {
      if ((*fulfiller)->isWaiting()) {
        (*fulfiller)
            ->reject(KJ_EXCEPTION(DISCONNECTED, "the sender dropped the stream before its end"));
      }
    }
  }

  kj::Promise<void> write(WriteContext context) override {
    order.begin();
    auto data = context.getParams().getData();
    KJ_REQUIRE(data.size() <= rpc::MAX_CHUNK_BYTES, "a chunk over maxChunkBytes", data.size());
    auto& stream = *KJ_REQUIRE_NONNULL(output, "the stream has ended");
    try {
      co_await stream.write(data.begin(), data.size());
      order.end();
    } catch (...) {
      auto exception = kj::getCaughtExceptionAsKj();
      KJ_IF_MAYBE (fulfiller, ended) {
        (*fulfiller)->reject(kj::cp(exception));
      }
      kj::throwFatalException(kj::mv(exception));
    }
  }

  kj::Promise<void> end(EndContext context) override {
    order.requireUnbroken();
    KJ_REQUIRE(output != nullptr, "the stream has ended");
    output = nullptr;
    KJ_IF_MAYBE (fulfiller, ended) {
      (*fulfiller)->fulfill();
    }
    return kj::READY_NOW;
  }

private:
  kj::Maybe<kj::Own<kj::AsyncOutputStream>> output;
  StreamOrder order;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> ended;
};

// What a message needs beside its data: the call and its capability table.
constexpr size_t MESSAGE_WORDS = 8;

}  // namespace

rpc::ByteSink::Client newByteSink(kj::Own<kj::AsyncOutputStream> output,
                                  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> ended) {
  return kj::heap<StreamSink>(kj::mv(output), kj::mv(ended));
}

struct SinkWriter::Chunk {
  capnp::StreamingRequest<rpc::ByteSink::WriteParams> request;
  capnp::Orphan<capnp::Data> data;

  Chunk(rpc::ByteSink::Client& sink, size_t bytes)
      : request(
            sink.writeRequest(capnp::MessageSize{bytes / sizeof(capnp::word) + MESSAGE_WORDS, 0})),
        data(capnp::Orphanage::getForMessageContaining(
                 static_cast<rpc::ByteSink::WriteParams::Builder&>(request))
                 .newOrphan<capnp::Data>(bytes)) {}
};

SinkWriter::SinkWriter(rpc::ByteSink::Client sink) : sink(kj::mv(sink)) {}

SinkWriter::~SinkWriter() noexcept(false) {}

kj::ArrayPtr<kj::byte> SinkWriter::buffer(size_t bytes) {
  KJ_REQUIRE(bytes <= rpc::MAX_CHUNK_BYTES);
  next = nullptr;
  auto& chunk = *next.emplace(kj::heap<Chunk>(sink, bytes));
  return chunk.data.get();
}

kj::Promise<void> SinkWriter::send(size_t bytes) {
  auto chunk = kj::mv(KJ_REQUIRE_NONNULL(next, "send() without buffer()"));
  next = nullptr;
  if (bytes == 0) return kj::READY_NOW;
  if (bytes < chunk->data.get().size()) chunk->data.truncate(bytes);
  chunk->request.adoptData(kj::mv(chunk->data));
  return chunk->request.send();
}

kj::Promise<void> SinkWriter::send(kj::ArrayPtr<const kj::byte> data) {
  auto space = buffer(data.size());
  memcpy(space.begin(), data.begin(), data.size());
  return send(data.size());
}

kj::Promise<void> SinkWriter::end() {
  return sink.endRequest().send().ignoreResult();
}

kj::Promise<uint64_t> pumpToSink(kj::AsyncInputStream& input, SinkWriter& writer,
                                 size_t chunkBytes) {
  auto space = kj::heapArray<kj::byte>(chunkBytes);
  uint64_t total = 0;
  while (true) {
    size_t bytes = co_await input.tryRead(space.begin(), 1, space.size());
    if (bytes == 0) co_return total;
    total += bytes;
    co_await writer.send(space.slice(0, bytes).asConst());
  }
}

}  // namespace bothy
