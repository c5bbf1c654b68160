#include "tty/detach-keys.h"

#include "tty/typed-key.h"

namespace bothy {
namespace {

constexpr kj::byte ESCAPE = 0x1b;
// What a terminal with 8-bit controls sends for "ESC [": one character, of two bytes where it sends UTF-8.
constexpr kj::byte WIDE_INTRODUCER = 0x9b;
constexpr kj::byte WIDE_INTRODUCER_LEAD = 0xc2;
constexpr size_t MAX_SEQUENCE_BYTES = 64;  // of one key; a longer sequence is none
constexpr size_t MAX_HELD_BYTES = 1024;

kj::Maybe<kj::byte> parseKey(kj::StringPtr key) {
  constexpr kj::StringPtr CONTROL = "ctrl-"_kj;
  if (key.size() == 1 && key[0] > ' ' && key[0] < 0x7f) return static_cast<kj::byte>(key[0]);
  if (!key.startsWith(CONTROL) || key.size() != CONTROL.size() + 1) return nullptr;
  char c = key[CONTROL.size()];
  if (c >= 'a' && c <= 'z') return static_cast<kj::byte>(c - 'a' + 1);
  if (c == '@' || (c >= '[' && c <= '_')) return static_cast<kj::byte>(c - '@');
  return nullptr;
}

// How many bytes of the same character come behind one of UTF-8.
kj::uint continuationsAfter(kj::byte next, kj::uint before) {
  if (next >= 0xf0) return 3;
  if (next >= 0xe0) return 2;
  if (next >= 0xc0) return 1;
  return next >= 0x80 && before > 0 ? before - 1 : 0;
}

// As it is sent without 8-bit controls.
kj::Array<kj::byte> narrow(kj::ArrayPtr<const kj::byte> sequence, size_t introducer) {
  auto rest = sequence.slice(introducer, sequence.size());
  auto result = kj::heapArrayBuilder<kj::byte>(2 + rest.size());
  result.add(ESCAPE);
  result.add('[');
  result.addAll(rest);
  return result.finish();
}

kj::String describeKey(kj::byte key) {
  if (key >= ' ') return kj::str(static_cast<char>(key));
  return kj::str("Ctrl-", static_cast<char>(key + '@'));
}

}  // namespace

DetachKeys::DetachKeys(kj::Array<kj::byte> sequence) : sequence(kj::mv(sequence)) {}

kj::Maybe<DetachKeys> DetachKeys::parse(kj::StringPtr text) {
  if (text == "none") return DetachKeys(nullptr);
  kj::Vector<kj::byte> sequence;
  while (true) {
    auto comma = text.findFirst(',');
    size_t length = text.size();
    KJ_IF_MAYBE (position, comma) length = *position;
    KJ_IF_MAYBE (key, parseKey(kj::str(text.slice(0, length)))) {
      sequence.add(*key);
    } else {
      return nullptr;
    }
    if (comma == nullptr) return DetachKeys(sequence.releaseAsArray());
    text = text.slice(length + 1);
  }
}

DetachKeys::Result DetachKeys::filter(kj::ArrayPtr<const kj::byte> typed) {
  kj::Vector<kj::byte> input(typed.size() + held.size() + unfinished.size());
  for (auto next : typed) {
    if (takeByte(next, input)) return {input.releaseAsArray(), true};
  }
  return {input.releaseAsArray(), false};
}

kj::Array<kj::byte> DetachKeys::decide() {
  kj::Vector<kj::byte> input;
  takeOther(unfinished, input);
  unfinished.clear();
  introducer = 0;
  return input.releaseAsArray();
}

// Whether the sequence is complete with `next`; so do those below.
bool DetachKeys::takeByte(kj::byte next, kj::Vector<kj::byte>& input) {
  bool isParameter = next >= 0x20 && next <= 0x3f;
  bool isFinal = next >= 0x40 && next <= 0x7e;
  const bool isContinuation = continuations > 0;
  continuations = continuationsAfter(next, continuations);
  if (unfinished.size() == 1 && introducer == 0 &&
      next == (unfinished[0] == ESCAPE ? '[' : WIDE_INTRODUCER)) {
    unfinished.add(next);
    introducer = 2;
    return false;
  }
  if (introducer > 0 && isParameter && unfinished.size() < MAX_SEQUENCE_BYTES) {
    unfinished.add(next);
    return false;
  }
  if (introducer > 0 && isFinal) {
    unfinished.add(next);
    auto whole = kj::mv(unfinished);
    unfinished = kj::Vector<kj::byte>();
    return takeSequence(whole, input);
  }
  if (unfinished.size() > 0) input.addAll(decide());
  if (mayIntroduce(next, isContinuation)) {
    unfinished.add(next);
    if (next == WIDE_INTRODUCER) introducer = 1;
    return false;
  }
  return takeKey(next, kj::arrayPtr(&next, 1), input);
}

// As the next key of the sequence Escape is not held: it need not be the beginning of anything.
bool DetachKeys::mayIntroduce(kj::byte next, bool isContinuation) const {
  if (sequence.size() == 0 || sequence[matched] == ESCAPE) return false;
  return next == ESCAPE || next == WIDE_INTRODUCER_LEAD ||
         (next == WIDE_INTRODUCER && !isContinuation);
}

bool DetachKeys::takeSequence(kj::ArrayPtr<const kj::byte> whole, kj::Vector<kj::byte>& input) {
  auto key = decodeKey(narrow(whole, introducer));
  introducer = 0;
  switch (key.kind) {
    case TypedKey::Kind::KEY:
      return takeKey(key.byte, whole, input);
    case TypedKey::Kind::QUIET:
      // Comes between the keys of the sequence, and belongs to them.
      if (matched > 0 && held.size() < MAX_HELD_BYTES) {
        held.addAll(whole);
        return false;
      }
      break;
    case TypedKey::Kind::REPORT:
      input.addAll(whole);
      return false;
    case TypedKey::Kind::OTHER:
      break;
  }
  takeOther(whole, input);
  return false;
}

bool DetachKeys::takeKey(kj::byte key, kj::ArrayPtr<const kj::byte> typed,
                         kj::Vector<kj::byte>& input) {
  if (matched < sequence.size() && key == sequence[matched]) {
    held.addAll(typed);
    if (++matched < sequence.size()) return false;
    matched = 0;
    held.clear();
    return true;
  }
  bool firstKeyTwice = matched == 1 && key == sequence[0];
  release(input);
  if (firstKeyTwice) return false;
  if (sequence.size() > 0 && key == sequence[0]) {
    held.addAll(typed);
    matched = 1;
  } else {
    input.addAll(typed);
  }
  return false;
}

void DetachKeys::takeOther(kj::ArrayPtr<const kj::byte> typed, kj::Vector<kj::byte>& input) {
  release(input);
  input.addAll(typed);
}

void DetachKeys::release(kj::Vector<kj::byte>& input) {
  input.addAll(held);
  held.clear();
  matched = 0;
}

kj::String DetachKeys::describe() const {
  return kj::strArray(KJ_MAP(key, sequence) { return describeKey(key); }, " then ");
}

}  // namespace bothy
