#include "doctor/finding.h"

namespace bothy {

Finding good(kj::StringPtr name, kj::String found) {
  return {name, Verdict::OK, kj::mv(found), kj::String()};
}

Finding warning(kj::StringPtr name, kj::String found, kj::StringPtr advice) {
  return {name, Verdict::WARN, kj::mv(found), kj::str(advice)};
}

Finding refusal(kj::StringPtr name, kj::String found, kj::StringPtr advice) {
  return {name, Verdict::REFUSE, kj::mv(found), kj::str(advice)};
}

}  // namespace bothy
