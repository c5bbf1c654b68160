#pragma once

#include <kj/io.h>
#include <kj/string.h>

namespace bothy {

// Cleans up after a test program that was killed, as by ctest at its time limit: a process of its own ends whatever has `directory`
// on its command line, unmounts what is mounted beneath it and removes it, when this program ends before the destructor
// has run.
class LeftBehind final {
public:
  explicit LeftBehind(kj::StringPtr directory);
  // All is cleaned up.
  ~LeftBehind() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(LeftBehind);

private:
  kj::AutoCloseFd alive;
};

}  // namespace bothy
