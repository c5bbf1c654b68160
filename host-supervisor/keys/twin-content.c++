#include "keys/twin-content.h"

#include <string.h>

#include "keys/byte-layout.h"
#include "keys/file-content.h"

namespace bothy {

kj::Array<kj::byte> twinOf(kj::ArrayPtr<const kj::byte> content) {
  auto file = kj::heapArray<kj::byte>(twinBytes(content.size()));
  memset(file.begin(), 0, file.size());
  memcpy(file.begin(), content.begin(), content.size());
  memcpy(file.begin() + file.size() / 2, content.begin(), content.size());
  return file;
}

size_t secondCopyOffset(kj::ArrayPtr<const kj::byte> file) {
  auto offset = file.size() / 2 / TWIN_BLOCK_BYTES * TWIN_BLOCK_BYTES;
  // Of one that was cut short there is no second copy, and the first is not it.
  return offset > 0 ? offset : file.size();
}

kj::ArrayPtr<const kj::byte> contentIn(kj::ArrayPtr<const kj::byte> copy, kj::StringPtr path,
                                       kj::StringPtr magic, uint16_t version) {
  LayoutReader reader(copy, path);
  reader.header(magic, version);
  size_t length = reader.number<uint32_t>();
  if (length < CONTENT_HEADER_BYTES || length > copy.size()) {
    refuseFile(path, kj::str("its length is not ", length, " bytes, so it is damaged"));
  }
  return copy.slice(0, length);
}

}  // namespace bothy
