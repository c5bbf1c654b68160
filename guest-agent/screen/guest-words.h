#pragma once

#include <kj/string.h>

namespace bothy {

// A program's words for people: UTF-8 without controls, in one line, cut between two characters at `maxBytes`.  Who shows them
// escapes them nonetheless.
kj::String cleanWords(kj::ArrayPtr<const char> text, size_t maxBytes);

// The directory that "OSC 7" names, "file://HOST/PATH" with "%20" and its like.  Empty where it names none that is of this machine,
// is longer than `maxBytes`, or has a control in it.
kj::String directoryOf(kj::ArrayPtr<const char> address, size_t maxBytes);

}  // namespace bothy
