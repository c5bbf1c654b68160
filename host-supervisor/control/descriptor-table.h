#pragma once

#include <kj/map.h>
#include <kj/memory.h>

#include <limits>

#include "loop/shared-fd.h"

namespace bothy {

// Descriptors that go to clients, under numbers of which each is used again after all others only, a thousand million, and never while it is
// in use.
//
// Cap'n Proto 1.4 notes the number that a capability tells (`getFd`) and writes it later: a descriptor's own may be
// somebody else's by then.  One of these is translated in the moment in which it is written, or not at all.
class DescriptorTable final {
public:
  // `last`: the highest number; tests have few.
  explicit DescriptorTable(int last = std::numeric_limits<int>::max()) : last(last) {}
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

  // Above all that the kernel gives (fs.nr_open), so that no number of either kind passes for the other.
  static constexpr int FIRST = 1 << 30;

private:
  const int last;
  int next = FIRST;
  kj::HashMap<int, const SharedFd*> descriptors;

  int take();
};

}  // namespace bothy
