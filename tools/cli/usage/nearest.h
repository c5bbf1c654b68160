#pragma once

#include <kj/string.h>

namespace bothy {

// Of `known` the word that `given` was probably meant to be, if one is near enough.
kj::Maybe<kj::StringPtr> nearest(kj::StringPtr given, kj::ArrayPtr<const kj::StringPtr> known);

}  // namespace bothy
