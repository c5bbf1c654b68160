#include "agent/guest-text.h"

#include "wire/escape.h"

namespace bothy {
namespace {

bool isVersionCharacter(char c) {
  return ('0' <= c && c <= '9') || ('A' <= c && c <= 'Z') || ('a' <= c && c <= 'z') || c == '.' ||
         c == '+' || c == '~' || c == '-';
}

}  // namespace

kj::String versionOfGuest(kj::StringPtr told) {
  bool isVersion = told.size() > 0 && told.size() <= MAX_VERSION_BYTES;
  for (char c : told) {
    if (!isVersion) break;
    isVersion = isVersionCharacter(c);
  }
  return isVersion ? kj::str(told) : kj::str("?");
}

kj::String lineOfGuest(kj::StringPtr told) {
  if (told.size() <= MAX_LINE_BYTES) return escapeGuestText(told.asArray());
  return kj::str(escapeGuestText(told.asArray().slice(0, MAX_LINE_BYTES)), " [...]");
}

}  // namespace bothy
