#pragma once

#include <kj/string.h>

namespace bothy {

// What each shell runs to complete words of bothy: it asks `bothy completion -- WORD...`, whose lines are a word, a
// tab and its meaning, and at last, behind a tab, what else fits: ":files".
constexpr kj::StringPtr COMPLETION_SHELLS[] = {"bash"_kj, "zsh"_kj, "fish"_kj};

// nullptr: of no shell of these.
kj::Maybe<kj::StringPtr> completionScript(kj::StringPtr shell);

}  // namespace bothy
