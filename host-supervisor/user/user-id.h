#pragma once

#include <kj/common.h>
#include <kj/string.h>

#include "secret/randomness.h"

namespace bothy {

// A user of the platform, as that names him: 1 to `maxUserIdBytes` of ASCII's visible characters.  What it means is the platform's.
class UserId final {
public:
  static kj::Maybe<UserId> parse(kj::StringPtr text);
  kj::StringPtr text() const { return value; }

private:
  explicit UserId(kj::String value) : value(kj::mv(value)) {}
  kj::String value;
};

// What is wrong with `text` as a user's: field, value and limit, one line.
kj::String noUserId(kj::StringPtr text);

// A name for a workspace of this user's that he calls `name` (empty, or a valid one): what people recognise of both, and 48 random bits
// that make it another than every name there is, whatever users call themselves.  A valid name.
kj::String newWorkspaceName(const UserId& user, kj::StringPtr name, Randomness& randomness);

}  // namespace bothy
