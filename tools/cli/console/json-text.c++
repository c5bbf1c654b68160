#include "console/json-text.h"

#include <kj/encoding.h>
#include <kj/vector.h>

namespace bothy {
namespace {

void appendUnit(kj::Vector<char>& result, char16_t unit) {
  constexpr char DIGITS[] = "0123456789abcdef";
  result.add('\\');
  result.add('u');
  for (int shift = 12; shift >= 0; shift -= 4) result.add(DIGITS[(unit >> shift) & 0xf]);
}

}  // namespace

void VoidAsTrue::encode(const capnp::JsonCodec&, capnp::Void,
                        capnp::JsonValue::Builder output) const {
  output.setBoolean(true);
}

capnp::Void VoidAsTrue::decode(const capnp::JsonCodec&, capnp::JsonValue::Reader) const {
  return capnp::VOID;
}

kj::String asciiJson(kj::StringPtr json) {
  kj::Vector<char> result(json.size() + 1);
  // Text beyond ASCII stands only within JSON's strings, where \u means the same.
  for (char16_t unit : kj::encodeUtf16(json)) {
    if (unit >= 0x7f) {
      appendUnit(result, unit);
    } else {
      result.add(static_cast<char>(unit));
    }
  }
  result.add('\0');
  return kj::String(result.releaseAsArray());
}

}  // namespace bothy
