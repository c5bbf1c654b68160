#pragma once

#include <kj/string.h>

namespace bothy {

// Throws FAILED with `sentence` as its whole description: what is wrong and what to do, for the person
// who builds.
[[noreturn]] void fail(kj::String sentence);

}  // namespace bothy
