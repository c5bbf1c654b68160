#pragma once

#include "support/supervised-host.h"

namespace bothy {

// The file system of a supervisor's state directory, which a test may fill.  It is made at a restart of bothyd, with
// nothing in it, and taken away by the destructor.
class SmallDisk final {
public:
  // `size`: as mount(8) takes it for a tmpfs, "700M".
  SmallDisk(SupervisedHost& host, kj::StringPtr size);
  ~SmallDisk();
  KJ_DISALLOW_COPY_AND_MOVE(SmallDisk);

  // Leaves so many KiB free.
  void fill(uint64_t keepKib);
  void drain();

private:
  kj::String state;
  kj::String ballast;
};

}  // namespace bothy
