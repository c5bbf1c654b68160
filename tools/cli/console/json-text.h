#pragma once

#include <capnp/compat/json.h>
#include <capnp/message.h>
#include <kj/string.h>

namespace bothy {

// One JSON value, on one line, without a line feed.  Beyond ASCII every character is written as \uXXXX, so
// that no text of a guest reaches a terminal as it is.  64-bit integers are strings, as Cap'n Proto's
// JSON mapping has them.
kj::String asciiJson(kj::StringPtr json);

// A member of a union that has no value is there, which is all that it says: Cap'n Proto would write null, by which
// most readers understand that it is not.
class VoidAsTrue final: public capnp::JsonCodec::Handler<capnp::Void> {
public:
  void encode(const capnp::JsonCodec& codec, capnp::Void input,
              capnp::JsonValue::Builder output) const override;
  capnp::Void decode(const capnp::JsonCodec& codec, capnp::JsonValue::Reader input) const override;
};

// `value` with the annotations of its schema ($Json.flatten and the like).
template <typename Reader>
kj::String toJson(Reader&& value) {
  VoidAsTrue voidAsTrue;
  capnp::JsonCodec codec;
  codec.addTypeHandler(voidAsTrue);
  codec.handleByAnnotation<capnp::FromReader<Reader>>();
  return asciiJson(codec.encode(kj::fwd<Reader>(value)));
}

// A line with a value of the struct T, which `fill` fills.
template <typename T, typename Fill>
kj::String jsonLine(Fill&& fill) {
  capnp::MallocMessageBuilder message;
  auto value = message.initRoot<T>();
  fill(value);
  return kj::str(toJson(value.asReader()), "\n");
}

}  // namespace bothy
