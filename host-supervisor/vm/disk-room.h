#pragma once

#include <kj/async.h>
#include <kj/function.h>
#include <kj/map.h>
#include <kj/string.h>
#include <kj/timer.h>

#include <deque>

namespace bothy {

// Watches for room on the host's file systems, for all machines that stand still for want of it.
class DiskRoom final {
public:
  // What a machine that goes on must find, so that it does not stand still again at once.
  static constexpr uint64_t ROOM_BYTES = 64ull * 1024 * 1024;

  struct Space {
    uint64_t fileSystem;  // its number
    uint64_t freeBytes;
  };
  // Where `path` lies; nullptr if there is nothing.
  static kj::Maybe<Space> measure(kj::StringPtr path);

  // Tests have measures of their own.
  explicit DiskRoom(kj::Timer& timer,
                    kj::Function<kj::Maybe<Space>(kj::StringPtr path)> measure = DiskRoom::measure)
      : timer(timer), measureSpace(kj::mv(measure)) {}
  KJ_DISALLOW_COPY_AND_MOVE(DiskRoom);

  // Resolves when there is room on the file system of `disk`, at the earliest a moment later.  Each check lets so many
  // go on as have ROOM_BYTES each, in the order of their calls: had all the same room, all would stand still again.
  kj::Promise<void> whenFree(kj::StringPtr disk);

private:
  struct Waiter {
    kj::String disk;
    kj::Own<kj::PromiseFulfiller<void>> fulfiller;
    // That its disk's room cannot be found is in the log.
    bool isTold = false;
  };

  kj::Timer& timer;
  kj::Function<kj::Maybe<Space>(kj::StringPtr)> measureSpace;
  std::deque<Waiter> waiters;
  bool isWatching = false;
  kj::Promise<void> watching = kj::READY_NOW;

  kj::Promise<void> watch();
  void check();
  static bool isLetGo(const Space& space, kj::HashMap<uint64_t, uint64_t>& freeBytes);
};

}  // namespace bothy
