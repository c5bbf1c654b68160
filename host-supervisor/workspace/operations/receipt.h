#pragma once

#include <kj/string.h>
#include <kj/time.h>

namespace bothy {

// What a machine's wake has come to, for people.

// "12.345 s".
kj::String secondsOf(kj::Duration time);
// `behind`: its clock was.
kj::String clockText(kj::Duration behind);

}  // namespace bothy
