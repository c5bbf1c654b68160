#pragma once

#include <kj/string.h>

namespace bothy {

// Ends a stage of the boot with a sentence for people: it goes to the console and into the boot report.
[[noreturn]] void failStage(kj::String sentence);

// The same for a system call that has just failed: "WHAT: reason".
[[noreturn]] void failCall(kj::StringPtr what);

}  // namespace bothy
