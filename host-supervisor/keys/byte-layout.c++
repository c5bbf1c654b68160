#include "keys/byte-layout.h"

#include "keys/file-content.h"

namespace bothy {

kj::ArrayPtr<const kj::byte> LayoutReader::bytes(size_t count) {
  if (count > rest.size()) refuseFile(path, "it ends too early, so it is damaged");
  auto taken = rest.slice(0, count);
  rest = rest.slice(count, rest.size());
  return taken;
}

void LayoutReader::header(kj::StringPtr magic, uint16_t version) {
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
}

}  // namespace bothy
