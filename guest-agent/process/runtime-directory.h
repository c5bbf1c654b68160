#pragma once

#include <kj/io.h>
#include <kj/string.h>

#include "process/loop-touches.h"
#include "process/user-database.h"

namespace bothy {

// The directories /run/user/UID, which a login makes for its user (XDG_RUNTIME_DIR): for sockets, 0700, in memory.
class RuntimeDirectories final {
public:
  // `run`: /run, absolute.  `touches` outlives it.
  RuntimeDirectories(kj::StringPtr run, LoopTouches& touches);

  // The path of the user's, which exists and is his; made if it is not there, also when somebody removed it.  None if
  // it cannot be, or if a file system of somebody's is mounted there that is not looked into, because it may hang.
  kj::Maybe<kj::String> ensure(const User& user) const;

private:
  const kj::String run;
  LoopTouches& touches;
  kj::AutoCloseFd directory;  // of `run`; none if there is none
};

}  // namespace bothy
