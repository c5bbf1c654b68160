#include "support/cutting-stream.h"

#include <string.h>

#include <kj/debug.h>

namespace bothy {
namespace {

constexpr size_t WORD_BYTES = 8;

uint32_t numberAt(kj::ArrayPtr<const kj::byte> bytes, size_t index) {
  uint32_t number;
  memcpy(&number, bytes.begin() + index * sizeof(number), sizeof(number));
  return number;
}

}  // namespace

size_t CuttingStream::Framing::take(kj::ArrayPtr<const kj::byte> data, kj::uint& budget) {
  size_t taken = 0;
  while (taken < data.size() && budget > 0) {
    if (bodyBytes > 0) {
      auto count = kj::min(bodyBytes, data.size() - taken);
      bodyBytes -= count;
      taken += count;
      if (bodyBytes == 0) --budget;
      continue;
    }
    header.add(data[taken++]);
    if (header.size() < sizeof(uint32_t)) continue;
    // The number of segments less one, the size of each in words, padding to a word.
    size_t segments = size_t{numberAt(header, 0)} + 1;
    if (header.size() < (segments / 2 + 1) * WORD_BYTES) continue;
    for (size_t i = 0; i < segments; ++i) bodyBytes += numberAt(header, i + 1) * WORD_BYTES;
    header.clear();
    if (bodyBytes == 0) --budget;
  }
  return taken;
}

CuttingStream::CuttingStream(kj::Own<kj::AsyncIoStream> inner, kj::uint& budget)
    : inner(kj::mv(inner)), budget(budget) {
  if (budget == 0) cut();
}

kj::Promise<size_t> CuttingStream::tryRead(void* buffer, size_t minBytes, size_t maxBytes) {
  if (isCut) co_return 0;
  auto count = co_await inner->tryRead(buffer, minBytes, maxBytes);
  if (isCut) co_return 0;
  auto taken = incoming.take(kj::arrayPtr(static_cast<const kj::byte*>(buffer), count), budget);
  if (budget == 0) cut();
  co_return taken;
}

kj::Promise<void> CuttingStream::write(const void* buffer, size_t size) {
  auto data = kj::arrayPtr(static_cast<const kj::byte*>(buffer), size);
  if (!isCut) {
    auto taken = outgoing.take(data, budget);
    {
      isWriting = true;
      KJ_DEFER(isWriting = false);
      co_await inner->write(buffer, taken);
    }
    if (isCut) inner->shutdownWrite();  // meanwhile
    if (budget == 0) cut();
    if (taken == size) co_return;
  }
  kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "the test cut this connection"));
}

kj::Promise<void> CuttingStream::write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) {
  for (auto& piece : pieces) co_await write(piece.begin(), piece.size());
}

void CuttingStream::shutdownWrite() {
  if (!isCut) inner->shutdownWrite();
}

void CuttingStream::abortRead() {
  if (!isCut) inner->abortRead();
}

void CuttingStream::cut() {
  if (isCut) return;
  isCut = true;
  // Not dropped: somebody may be reading.
  if (!isWriting) inner->shutdownWrite();
  inner->abortRead();
}

}  // namespace bothy
