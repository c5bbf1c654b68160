#pragma once

#include <kj/string.h>

namespace bothy {

// Why bothyd refuses what a workspace is to be made of or how large its disk is to be, in the words of this program's options:
// bothyd names the fields of its API and counts in MiB, options have names of their own, and sizes as they are typed.  What it
// says of something else stays as it is.  Escaped.
kj::String describeInvalid(kj::StringPtr why);

}  // namespace bothy
