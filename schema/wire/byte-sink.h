#pragma once

#include <kj/async-io.h>

#include "schema/stream.capnp.h"

namespace bothy {

// Serves a ByteSink that writes into `output`, one chunk at a time: a slow `output` holds the sender
// back.  `end` drops `output` (closes it), and so does dropping the last reference to the sink.
//
// `ended`, if given, is fulfilled at `end`, after the last byte was written, and rejected with
// DISCONNECTED when the sink is dropped without one, or with the exception of a write that failed.
rpc::ByteSink::Client newByteSink(kj::Own<kj::AsyncOutputStream> output,
                                  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> ended = nullptr);

// Sends chunks to a ByteSink.  The flow control (rpc-network.h) keeps some under way: while they travel,
// the next is filled.
//
//     auto space = writer.buffer(bytes);
//     size_t n = fill(space);
//     co_await writer.send(n);      // the exception of a failed write shows here, or at `end`
//
// Dropping it without `end` leaves the receiver with a broken stream.
class SinkWriter final {
public:
  explicit SinkWriter(rpc::ByteSink::Client sink);
  ~SinkWriter() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(SinkWriter);

  // Space for the next chunk, inside the message that carries it, `bytes` long (at most
  // MAX_CHUNK_BYTES).  Valid until `send`.
  kj::ArrayPtr<kj::byte> buffer(size_t bytes);

  // Sends the first `bytes` of the buffer (none: sends nothing).  Resolves when the next chunk may be
  // filled.
  kj::Promise<void> send(size_t bytes);

  // Copies `data` (at most MAX_CHUNK_BYTES) and sends it.
  kj::Promise<void> send(kj::ArrayPtr<const kj::byte> data);

  // Resolves when the receiver has disposed of everything.  Nothing may be sent after it.
  kj::Promise<void> end();

private:
  struct Chunk;
  rpc::ByteSink::Client sink;
  kj::Maybe<kj::Own<Chunk>> next;
};

// What senders of files use: a message costs as much as some hundred KiB of its bytes.  At most MAX_CHUNK_BYTES.
constexpr size_t FILE_CHUNK_BYTES = 1024 * 1024;

// What pipes and sockets hold by default: a larger buffer is never filled by one read.
constexpr size_t PIPE_CHUNK_BYTES = 64 * 1024;

// Copies `input` into `writer` until its end, which is not told to the writer.  Resolves to the number
// of bytes when all are handed over.  Dropping it loses nothing that was not yet read.
kj::Promise<uint64_t> pumpToSink(kj::AsyncInputStream& input, SinkWriter& writer,
                                 size_t chunkBytes = PIPE_CHUNK_BYTES);

}  // namespace bothy
