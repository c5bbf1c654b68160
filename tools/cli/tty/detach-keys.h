#pragma once

#include <kj/array.h>
#include <kj/string.h>
#include <kj/vector.h>

namespace bothy {

// Finds the key sequence that leaves a terminal in what is typed, however the keys are encoded.  What might begin
// the sequence is held until the next key decides; its first key typed twice is sent once.
class DetachKeys final {
public:
  // "ctrl-],." : keys between commas, each a character or "ctrl-" and one of a-z @ [ \ ] ^ _.  "none":
  // there is no such sequence.  nullptr if `text` is neither.
  static kj::Maybe<DetachKeys> parse(kj::StringPtr text);
  static constexpr kj::StringPtr DEFAULT = "ctrl-],."_kj;

  struct Result {
    kj::Array<kj::byte> input;  // what goes to the terminal
    bool detach;                // what follows the sequence is dropped
  };
  Result filter(kj::ArrayPtr<const kj::byte> typed);

  // Whether the last that was typed is held because it may be Escape (or Alt-[), or the beginning of an encoded key
  // of which the rest follows within a moment.
  bool isUndecided() const { return unfinished.size() == 1 || unfinished.size() == 2; }
  // The moment is over: what goes to the terminal.
  kj::Array<kj::byte> decide();

  // For people: "Ctrl-] then .".  Empty: none.
  kj::String describe() const;

private:
  explicit DetachKeys(kj::Array<kj::byte> sequence);

  kj::Array<kj::byte> sequence;
  size_t matched = 0;
  kj::Vector<kj::byte> held;        // of the keys that matched, as they were typed
  kj::Vector<kj::byte> unfinished;  // a control sequence, as far as it came
  size_t introducer = 0;            // bytes of what it begins with; 0: that has not come whole
  kj::uint continuations = 0;       // bytes that are left of a character of UTF-8

  bool takeByte(kj::byte next, kj::Vector<kj::byte>& input);
  bool mayIntroduce(kj::byte next, bool isContinuation) const;
  bool takeSequence(kj::ArrayPtr<const kj::byte> whole, kj::Vector<kj::byte>& input);
  bool takeKey(kj::byte key, kj::ArrayPtr<const kj::byte> typed, kj::Vector<kj::byte>& input);
  void takeOther(kj::ArrayPtr<const kj::byte> typed, kj::Vector<kj::byte>& input);
  void release(kj::Vector<kj::byte>& input);
};

}  // namespace bothy
