#pragma once

#include <kj/async-io.h>

#include "client/byte-queue.h"
#include "schema/stream.capnp.h"

namespace bothy {

// One output of a program in a workspace on its way to a stream of this process, over any number of connections: in order
// and each byte once.  Outlives its sinks.
class ProgramOutput final {
public:
  // `stream` outlives it.  `maxBytes` are taken at most.
  explicit ProgramOutput(kj::AsyncOutputStream& stream, uint64_t maxBytes = UINT64_MAX)
      : stream(stream), maxBytes(maxBytes) {}
  KJ_DISALLOW_COPY_AND_MOVE(ProgramOutput);

  // For the bytes from position() on.  Sinks from before take nothing any more.
  rpc::ByteSink::Client newSink();
  uint64_t position() const { return received; }
  // So many of those before it the workspace had no more, in one or more places: they are not written.
  uint64_t lost() const { return lostBytes; }
  // More came than may be taken, and its sink failed.
  bool wasTooMuch() const { return tooMuch; }

  // Of the last sink: resolves when its end has come, or when it has failed and was not merely lost with its lane.
  kj::Promise<void> onEnd() { return ended.addBranch(); }

  // No more will come.
  void finish() { waiting.finish(); }
  // Resolves when all is written that came before finish(); fails when nobody reads the stream.  Call once.
  kj::Promise<void> show();

private:
  class Sink;

  kj::AsyncOutputStream& stream;
  const uint64_t maxBytes;
  bool tooMuch = false;
  ByteQueue waiting;
  uint64_t received = 0;
  uint64_t lostBytes = 0;
  uint64_t sinks = 0;
  // Of the last.
  kj::ForkedPromise<void> ended = kj::Promise<void>(kj::NEVER_DONE).fork();
  kj::Own<kj::PromiseFulfiller<void>> end;
  bool isClosed = false;  // nobody reads the stream
};

}  // namespace bothy
