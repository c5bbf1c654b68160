#include "doctor/version-number.h"

#include <tuple>

namespace bothy {
namespace {

// Beyond it nothing is a version's part (a date, a commit).
constexpr uint32_t MAX_PART = 99999;

bool isDigit(char c) {
  return c >= '0' && c <= '9';
}

// Takes the number at `position`, which a digit begins; nullptr if it is too large.
kj::Maybe<uint32_t> takeNumber(kj::StringPtr text, size_t& position) {
  uint32_t number = 0;
  bool fits = true;
  for (; position < text.size() && isDigit(text[position]); position++) {
    if (fits) number = number * 10 + static_cast<uint32_t>(text[position] - '0');
    fits = fits && number <= MAX_PART;
  }
  if (!fits) return nullptr;
  return number;
}

bool continues(kj::StringPtr text, size_t position) {
  return position + 1 < text.size() && text[position] == '.' && isDigit(text[position + 1]);
}

}  // namespace

bool VersionNumber::operator<(const VersionNumber& other) const {
  return std::tie(major, minor, patch) < std::tie(other.major, other.minor, other.patch);
}

kj::Maybe<VersionNumber> VersionNumber::firstIn(kj::StringPtr text) {
  size_t position = 0;
  while (position < text.size()) {
    if (!isDigit(text[position])) {
      position++;
      continue;
    }
    kj::Maybe<uint32_t> parts[3] = {takeNumber(text, position), nullptr, uint32_t(0)};
    if (!continues(text, position)) continue;
    position++;
    parts[1] = takeNumber(text, position);
    if (continues(text, position)) {
      position++;
      parts[2] = takeNumber(text, position);
    }
    KJ_IF_MAYBE (major, parts[0]) {
      KJ_IF_MAYBE (minor, parts[1]) {
        KJ_IF_MAYBE (patch, parts[2]) return VersionNumber{*major, *minor, *patch};
      }
    }
  }
  return nullptr;
}

kj::String KJ_STRINGIFY(const VersionNumber& version) {
  return kj::str(version.major, ".", version.minor, ".", version.patch);
}

}  // namespace bothy
