#pragma once

#include <kj/async-io.h>
#include <kj/vector.h>

namespace bothy {

// A stream of Cap'n Proto messages that ends, for both its sides, when `budget` of them have passed, whatever their
// direction: as where the process at this end is killed just then.
class CuttingStream final: public kj::AsyncIoStream {
public:
  // `budget` counts down to 0 and outlives the stream.
  CuttingStream(kj::Own<kj::AsyncIoStream> inner, kj::uint& budget);

  kj::Promise<size_t> tryRead(void* buffer, size_t minBytes, size_t maxBytes) override;
  kj::Promise<void> write(const void* buffer, size_t size) override;
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override;
  kj::Promise<void> whenWriteDisconnected() override { return inner->whenWriteDisconnected(); }
  void shutdownWrite() override;
  void abortRead() override;

private:
  // Where the messages of one direction begin and end.
  class Framing {
  public:
    // How many bytes of `data` belong to messages within the budget, which it counts down.
    size_t take(kj::ArrayPtr<const kj::byte> data, kj::uint& budget);

  private:
    kj::Vector<kj::byte> header;  // of a message, as far as it came
    uint64_t bodyBytes = 0;       // that are still to come
  };

  kj::Own<kj::AsyncIoStream> inner;
  kj::uint& budget;
  Framing incoming;
  Framing outgoing;
  bool isCut = false;
  bool isWriting = false;

  void cut();
};

}  // namespace bothy
