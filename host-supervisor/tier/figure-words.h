#pragma once

#include <kj/string.h>
#include <kj/vector.h>

namespace bothy {

// The words between blanks, as a setting gives figures.
kj::Vector<kj::String> wordsOf(kj::StringPtr text);

}  // namespace bothy
