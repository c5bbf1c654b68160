#pragma once

#include <kj/string.h>

namespace bothy {

enum class Verdict {
  OK,
  WARN,    // machines run, and something that they rest on is weaker than it could be
  REFUSE,  // bothyd does not start on such a host
};

// What one check of the host found.
struct Finding {
  // Of the check, a constant: [a-z-]+, the same for ever, since clients look for it.
  kj::StringPtr name;
  Verdict verdict;
  // What is there, one line.
  kj::String found;
  // What to do about it, one line; empty if the verdict is OK.
  kj::String advice;
};

Finding good(kj::StringPtr name, kj::String found);
Finding warning(kj::StringPtr name, kj::String found, kj::StringPtr advice);
Finding refusal(kj::StringPtr name, kj::String found, kj::StringPtr advice);

}  // namespace bothy
