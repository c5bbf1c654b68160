#pragma once

#include <kj/string.h>
#include <stdint.h>

namespace bothy {

// What the processes of a control group may still take, together with those of the groups in it.
struct GroupRoom {
  uint64_t tasks;        // processes and threads
  uint64_t memoryBytes;  // with that of files which can be read again
};

// Of the cgroup v2 directory `fd`, in so far as it has limits: what has none, or cannot be read, is UINT64_MAX.
GroupRoom roomIn(int fd);

// A line "KEY NUMBER" of a file such as memory.stat.  None if it has no such line.
kj::Maybe<uint64_t> numberAfter(kj::StringPtr text, kj::StringPtr key);

}  // namespace bothy
