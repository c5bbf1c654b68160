#pragma once

#include <kj/array.h>
#include <kj/function.h>
#include <kj/vector.h>

namespace bothy {

// Splits terminal output into escape sequences (ECMA-48, 7-bit) and what is between them, however it is cut into
// pieces.  A sequence that has not ended is held back, at most MAX_SEQUENCE_BYTES of it.
class EscapeSplitter final {
public:
  enum class Kind { TEXT, SEQUENCE };
  using Piece = kj::ArrayPtr<const kj::byte>;
  using Handler = kj::FunctionParam<void(Kind kind, Piece piece)>;

  // Gives the pieces of `output`, and what was held before it, in order.
  void split(Piece output, Handler handler);

  // Whether a sequence has begun and not ended.
  bool isWithin() const { return state != State::TEXT; }

  static constexpr size_t MAX_SEQUENCE_BYTES = 4096;

private:
  enum class State { TEXT, ESCAPE, INTERMEDIATE, CONTROL, STRING, STRING_ESCAPE };

  State state = State::TEXT;
  kj::Vector<kj::byte> held;

  bool ends(kj::byte next);
};

}  // namespace bothy
