#include "tty/detach-keys.h"

namespace bothy {
namespace {

kj::Maybe<kj::byte> parseKey(kj::StringPtr key) {
  constexpr kj::StringPtr CONTROL = "ctrl-"_kj;
  if (key.size() == 1 && key[0] > ' ' && key[0] < 0x7f) return static_cast<kj::byte>(key[0]);
  if (!key.startsWith(CONTROL) || key.size() != CONTROL.size() + 1) return nullptr;
  char c = key[CONTROL.size()];
  if (c >= 'a' && c <= 'z') return static_cast<kj::byte>(c - 'a' + 1);
  if (c == '@' || (c >= '[' && c <= '_')) return static_cast<kj::byte>(c - '@');
  return nullptr;
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
  kj::Vector<kj::byte> input(typed.size() + sequence.size());
  for (auto key : typed) {
    if (matched < sequence.size() && key == sequence[matched]) {
      if (++matched == sequence.size()) {
        matched = 0;
        return {input.releaseAsArray(), true};
      }
      continue;
    }
    bool firstKeyTwice = matched == 1 && key == sequence[0];
    input.addAll(sequence.slice(0, matched));
    matched = 0;
    if (firstKeyTwice) continue;
    if (sequence.size() > 0 && key == sequence[0]) {
      matched = 1;
    } else {
      input.add(key);
    }
  }
  return {input.releaseAsArray(), false};
}

kj::String DetachKeys::describe() const {
  return kj::strArray(KJ_MAP(key, sequence) { return describeKey(key); }, " then ");
}

}  // namespace bothy
