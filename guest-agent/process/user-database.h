#pragma once

#include <kj/array.h>
#include <kj/string.h>
#include <sys/types.h>

#include "process/cached-text-file.h"

namespace bothy {

// A user as the workspace's own files describe it.
struct User {
  kj::String name;
  uid_t uid;
  gid_t gid;
  kj::Array<gid_t> groups;  // supplementary, `gid` included
  kj::String home;          // never empty; "/" if passwd names none
  kj::String shell;         // never empty; /bin/sh if passwd names none
};

// Looks into passwd(5) and group(5) of a directory as they are at that moment: the user may change them.  No NSS: the
// agent is static and runs nobody's code.  A line that does not parse is passed over.  There is always
// root, though passwd may lack it.
class UserDatabase final {
public:
  // `etcDirectory`: absolute, without a final slash.  `settlingSeconds`: see CachedTextFile.
  explicit UserDatabase(kj::StringPtr etcDirectory,
                        time_t settlingSeconds = CachedTextFile::SETTLING_SECONDS)
      : passwd(kj::str(etcDirectory, "/passwd"), settlingSeconds),
        group(kj::str(etcDirectory, "/group"), settlingSeconds) {}

  // By the name or, as chown(1) takes it, by the number of one that has no such name.
  kj::Maybe<User> find(kj::StringPtr name) const;

private:
  mutable CachedTextFile passwd, group;

  kj::Maybe<User> findBy(kj::StringPtr users, size_t field, kj::StringPtr text) const;
};

}  // namespace bothy
