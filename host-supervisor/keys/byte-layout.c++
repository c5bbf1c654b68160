#include "keys/byte-layout.h"

#include "keys/file-content.h"
#include "keys/twin-content.h"

namespace bothy {

void LayoutWriter::header(kj::StringPtr magic, uint16_t version) {
  bytes(magic.asBytes());
  number(version);
  number(uint32_t(0));
}

void LayoutWriter::setLength(size_t length) {
  for (size_t i = 0; i < sizeof(uint32_t); ++i) {
    content[CONTENT_LENGTH_OFFSET + i] = kj::byte(length >> (8 * i));
  }
}

kj::ArrayPtr<const kj::byte> LayoutReader::bytes(size_t count) {
  if (count > rest.size()) refuseFile(path, "it ends too early, so it is damaged");
  auto taken = rest.slice(0, count);
  rest = rest.slice(count, rest.size());
  return taken;
}

uint16_t LayoutReader::header(kj::StringPtr magic, uint16_t version) {
  if (bytes(magic.size()) != magic.asBytes()) {
    refuseFile(path,
               kj::str("it does not begin with ", magic, ", so it is damaged or another file"));
  }
  auto found = number<uint16_t>();
  if (found == 0) refuseFile(path, "its version is 0, so it is damaged");
  if (found > version) {
    refuseFile(path, kj::str("it is of version ", found, " and this bothyd knows up to ", version,
                             ": start the bothyd that wrote it, or a newer one"));
  }
  return found;
}

}  // namespace bothy
