#include "user/user-id.h"

#include <kj/encoding.h>
#include <kj/vector.h>

#include "schema/limits.capnp.h"
#include "wire/escape.h"

namespace bothy {
namespace {

// Of what people recognise: with two dashes and the random part they are a name.
constexpr size_t MOST_USER_BYTES = 30, MOST_NAME_BYTES = 19, RANDOM_BYTES = 6;
static_assert(MOST_USER_BYTES + 1 + MOST_NAME_BYTES + 1 + 2 * RANDOM_BYTES <=
              rpc::MAX_WORKSPACE_NAME_BYTES);

bool isVisible(char c) {
  return c > ' ' && c < 0x7f;
}

// Its letters and digits, at most so many bytes; each run of other characters is a dash, and none is at an end.
kj::String recognisable(kj::StringPtr text, size_t mostBytes) {
  kj::Vector<char> word;
  for (char c : text) {
    if (word.size() >= mostBytes) break;
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const bool isPlain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (isPlain) {
      word.add(c);
    } else if (word.size() > 0 && word.back() != '-') {
      word.add('-');
    }
  }
  while (word.size() > 0 && word.back() == '-') word.removeLast();
  return kj::heapString(word.asPtr());
}

}  // namespace

kj::Maybe<UserId> UserId::parse(kj::StringPtr text) {
  if (text.size() == 0 || text.size() > rpc::MAX_USER_ID_BYTES) return nullptr;
  for (char c : text) {
    if (!isVisible(c)) return nullptr;
  }
  return UserId(kj::str(text));
}

kj::String noUserId(kj::StringPtr text) {
  constexpr size_t MOST_SHOWN = 80;
  const bool isLong = text.size() > MOST_SHOWN;
  auto shown = escapeGuestText(text.asArray().slice(0, isLong ? MOST_SHOWN : text.size()));
  return kj::str("user is '", shown, isLong ? "...'" : "'", ": it must be 1 to ",
                 rpc::MAX_USER_ID_BYTES, " visible ASCII characters");
}

kj::String newWorkspaceName(const UserId& user, kj::StringPtr name, Randomness& randomness) {
  kj::byte random[RANDOM_BYTES];
  randomness.fill(random);
  kj::Vector<kj::String> parts;
  auto whose = recognisable(user.text(), MOST_USER_BYTES);
  parts.add(whose.size() > 0 ? kj::mv(whose) : kj::str("user"));
  if (name.size() > 0) parts.add(recognisable(name, MOST_NAME_BYTES));
  parts.add(kj::encodeHex(random));
  return kj::strArray(parts, "-");
}

}  // namespace bothy
