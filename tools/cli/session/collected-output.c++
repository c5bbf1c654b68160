#include "session/collected-output.h"

#include <kj/encoding.h>

namespace bothy {
namespace {

// `text` without a character of UTF-8 at its end that is not whole.
kj::ArrayPtr<const char> withoutCutCharacter(kj::ArrayPtr<const char> text) {
  constexpr size_t MAX_CHARACTER_BYTES = 4;
  for (size_t size = 1; size < MAX_CHARACTER_BYTES && size <= text.size(); ++size) {
    auto first = static_cast<kj::byte>(text[text.size() - size]);
    if ((first & 0xc0) == 0x80) continue;
    size_t needed = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    return needed > size ? text.slice(0, text.size() - size) : text;
  }
  return text;
}

}  // namespace

kj::Promise<void> CollectedOutput::write(const void* buffer, size_t size) {
  auto data = kj::arrayPtr(static_cast<const kj::byte*>(buffer), size);
  bytes.addAll(data.slice(0, kj::min(limit - bytes.size(), size)));
  written += size;
  return kj::READY_NOW;
}

kj::Promise<void> CollectedOutput::write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) {
  for (auto piece : pieces) co_await write(piece.begin(), piece.size());
}

void CollectedOutput::fill(result::Executed::Output::Builder output) const {
  auto chars = bytes.asPtr().asChars();
  const bool isCut = written > bytes.size();
  auto text = kj::heapString(isCut ? withoutCutCharacter(chars) : chars);
  if (kj::encodeUtf16(text).hadErrors) {
    output.setBase64(bytes.asPtr());
  } else {
    output.setText(text);
  }
  if (isCut) {
    auto cut = output.initCut();
    cut.setTruncated(true);
    cut.setBytes(static_cast<double>(written));
  }
}

}  // namespace bothy
