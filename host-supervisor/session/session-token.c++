#include "session/session-token.h"

#include <string.h>

namespace bothy {
namespace {

constexpr char PREFIX_TEXT[] = "bothy_s_";
static_assert(sizeof(PREFIX_TEXT) - 1 == SessionToken::PREFIX_BYTES);

constexpr size_t DIGITS_END = SessionToken::PREFIX_BYTES + 2 * SessionToken::BYTES;

// -1: it is no digit.
int valueOf(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

void writeHex(kj::ArrayPtr<const kj::byte> bytes, kj::byte* target) {
  constexpr char DIGITS[] = "0123456789abcdef";
  for (auto byte : bytes) {
    *target++ = DIGITS[byte >> 4];
    *target++ = DIGITS[byte & 15];
  }
}

// Whether all of it were digits.
bool readHex(const char* text, kj::ArrayPtr<kj::byte> bytes) {
  bool isHex = true;
  for (auto i : kj::indices(bytes)) {
    const int high = valueOf(text[2 * i]), low = valueOf(text[2 * i + 1]);
    isHex = isHex && high >= 0 && low >= 0;
    bytes[i] = static_cast<kj::byte>(high << 4 | (low & 15));
  }
  return isHex;
}

}  // namespace

SessionToken SessionToken::generate(Randomness& randomness) {
  Secret bits(BYTES);
  randomness.fill(bits.bytes());
  return SessionToken(kj::mv(bits));
}

Secret SessionToken::text() const {
  Secret text(TEXT_BYTES);
  auto to = text.bytes();
  memcpy(to.begin(), PREFIX_TEXT, PREFIX_BYTES);
  writeHex(bits.bytes(), to.begin() + PREFIX_BYTES);
  const auto sum = Sha256::of(to.slice(0, DIGITS_END));
  writeHex(kj::arrayPtr(sum.bytes, CHECKSUM_BYTES), to.begin() + DIGITS_END);
  return text;
}

kj::Maybe<Sha256> hashOfToken(kj::ArrayPtr<const char> text) {
  if (text.size() != SessionToken::TEXT_BYTES) return nullptr;
  if (memcmp(text.begin(), PREFIX_TEXT, SessionToken::PREFIX_BYTES) != 0) {
    return nullptr;
  }
  kj::byte bits[SessionToken::BYTES], told[SessionToken::CHECKSUM_BYTES];
  KJ_DEFER(explicit_bzero(bits, sizeof(bits)));
  const bool isHex = readHex(text.begin() + SessionToken::PREFIX_BYTES, bits) &&
                     readHex(text.begin() + DIGITS_END, told);
  const auto sum = Sha256::of(text.slice(0, DIGITS_END).asBytes());
  if (!isHex || memcmp(told, sum.bytes, sizeof(told)) != 0) return nullptr;
  return Sha256::of(bits);
}

}  // namespace bothy
