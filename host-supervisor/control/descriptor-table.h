#pragma once

#include <kj/map.h>
#include <kj/memory.h>

#include "loop/shared-fd.h"

namespace bothy {

// Descriptors that go to clients, under numbers that are never used twice.
//
// Cap'n Proto 1.4 notes the number that a capability tells (`getFd`) and writes it later: a descriptor's own may be
// somebody else's by then.  One of these is translated in the moment in which it is written, or not at all.
class DescriptorTable final {
public:
  DescriptorTable() = default;
  KJ_DISALLOW_COPY_AND_MOVE(DescriptorTable);

  // `fd` under a number, for as long as this object lives, which `fd` and the table outlive.
  class Entry {
  public:
    Entry(DescriptorTable& table, const SharedFd& fd);
    ~Entry() noexcept(false);
    KJ_DISALLOW_COPY_AND_MOVE(Entry);
    const int number;

  private:
    DescriptorTable& table;
  };

  // None: what had this number is gone.
  kj::Maybe<SharedFd> duplicate(int number) const;

private:
  // Above all that the kernel gives (fs.nr_open), so that no number of either kind passes for the other.
  static constexpr int FIRST = 1 << 30;
  int next = FIRST;
  kj::HashMap<int, const SharedFd*> descriptors;
};

}  // namespace bothy
