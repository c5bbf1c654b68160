#pragma once

#include <kj/string.h>

namespace bothy {

// Remembers the first thing in a simulated world that must never be.  Accusing throws nothing: the logic
// under test goes on, and the simulation ends after its step.
class Judge final {
public:
  Judge() = default;
  KJ_DISALLOW_COPY_AND_MOVE(Judge);

  template <typename... Params>
  void accuse(Params&&... what) {
    if (found == nullptr) found = kj::str(kj::fwd<Params>(what)...);
  }

  kj::Maybe<kj::StringPtr> verdict() const {
    return found.map([](const kj::String& text) -> kj::StringPtr { return text; });
  }

private:
  kj::Maybe<kj::String> found;
};

}  // namespace bothy
