#pragma once

#include <kj/string.h>

namespace bothy {

// /tmp is on the data disk, and starts empty at each boot: what is in it from the last time goes into
// `oldDirectory`, on the same file system, in one rename.  The caller removes that directory when there
// is time.  Returns whether there is something to remove, of this boot or of one that did not get to it.
//
// `tmp` ends as an empty directory for everybody, unless root has put a link or a file in its place, which
// stay.
bool setAsideTemporaryFiles(kj::StringPtr tmp, kj::StringPtr oldDirectory);

constexpr kj::StringPtr TMP = "/tmp"_kj;
constexpr kj::StringPtr OLD_TMP = "/.bothy-old-tmp"_kj;

}  // namespace bothy
