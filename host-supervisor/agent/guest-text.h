#pragma once

#include <kj/string.h>

namespace bothy {

// What of a guest's words is kept: in the database, in memory, in answers to clients.  All of it passes here (the end
// of a console: console-end.h), so that no guest makes any of them longer than these.

// Of the version that an agent tells.
constexpr size_t MAX_VERSION_BYTES = 64;
// Of a line about what went wrong, before it is escaped.
constexpr size_t MAX_LINE_BYTES = 1024;

// A version: [0-9A-Za-z.+~-]{1,MAX_VERSION_BYTES}, or "?" for what is none.
kj::String versionOfGuest(kj::StringPtr told);

// One line for people, escaped as by wire/escape.h; what is cut off leaves " [...]".
kj::String lineOfGuest(kj::StringPtr told);

}  // namespace bothy
