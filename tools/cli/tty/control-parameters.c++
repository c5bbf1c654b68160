#include "tty/control-parameters.h"

#include <kj/debug.h>

namespace bothy {

ControlParameters::ControlParameters(kj::ArrayPtr<const kj::byte> sequence) {
  constexpr size_t INTRODUCER = 2, FINAL = 1;
  KJ_REQUIRE(sequence.size() >= INTRODUCER + FINAL, "this is no control sequence");
  auto body = sequence.slice(INTRODUCER, sequence.size() - FINAL);
  if (body.size() > 0 && body[0] >= '<' && body[0] <= '?') {
    privateMark = body[0];
    body = body.slice(1, body.size());
  }
  size_t field = 0, part = 0;
  for (auto c : body) {
    if (c >= 0x20 && c <= 0x2f) {
      lastIntermediate = c;
      continue;
    }
    if (fields == 0) fields = 1;
    if (c == ';') {
      part = 0;
      if (++field < MAX_FIELDS) fields = field + 1;
    } else if (c == ':') {
      ++part;
    } else if (c >= '0' && c <= '9' && field < MAX_FIELDS && part < MAX_PARTS) {
      auto& number = numbers[field][part];
      number = kj::min(number * 10 + (c - '0'), MAX_NUMBER);
    }
  }
}

}  // namespace bothy
