#pragma once

#include <kj/async-io.h>
#include <kj/vector.h>

#include "result/cli.capnp.h"

namespace bothy {

// What a program wrote, for a result in JSON: the first `limit` bytes of it, and how many there were.
class CollectedOutput final: public kj::AsyncOutputStream {
public:
  static constexpr size_t MAX_BYTES = 16 << 20;

  explicit CollectedOutput(size_t limit = MAX_BYTES) : limit(limit) {}

  kj::Promise<void> write(const void* buffer, size_t size) override;
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override;
  kj::Promise<void> whenWriteDisconnected() override { return kj::NEVER_DONE; }

  // As text, or as Base64 what is no UTF-8.
  void fill(result::Executed::Output::Builder output) const;

private:
  const size_t limit;
  kj::Vector<kj::byte> bytes;
  uint64_t written = 0;
};

}  // namespace bothy
