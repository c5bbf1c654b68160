#pragma once

#include <kj/async-unix.h>
#include <kj/io.h>
#include <kj/map.h>
#include <kj/vector.h>

#include <deque>

#include "wire/waiters.h"

namespace bothy {

// fsync(2) without holding up the event loop: Linux AIO, or plain fsync(2) where the kernel has none, or where programs have taken all
// of it (fs.aio-max-nr).  One context serves all flushes: to end one takes the kernel some 20 ms (an RCU grace period), for which the loop
// would stand still.
class DiskFlush final {
public:
  explicit DiskFlush(kj::UnixEventPort& eventPort);
  // Waits for the flushes that are under way.
  ~DiskFlush() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(DiskFlush);

  // Resolves to 0 or errno.  `fd` may be closed meanwhile.  Dropping the promise waits for nothing: a flush that has begun goes on without
  // it, and one that waits for its turn is none.
  kj::Promise<int> flush(int fd);

  // Resolves when none is under way.
  kj::Promise<void> onIdle();

  // More wait for their turn.  One that hangs keeps its place: of a file system that answers all but fsync(2), which the machine's root
  // has mounted.
  static constexpr kj::uint MOST_FLUSHES = 256;

private:
  struct Flush {
    kj::AutoCloseFd file;
    kj::Own<kj::PromiseFulfiller<int>> done;
  };

  kj::UnixEventPort& eventPort;
  uint64_t context = 0;   // of io_setup(2)
  bool isMade = false;    // the context
  kj::AutoCloseFd ready;  // an eventfd: flushes have ended
  std::deque<Flush> waiting;
  kj::HashMap<uint64_t, Flush> running;  // by a number of ours
  uint64_t lastNumber = 0;
  Waiters idle;
  kj::Promise<void> ends = nullptr;

  int makeContext();
  void beginWaiting();
  int submit(uint64_t number, int fd);
  kj::Promise<void> hearEnds();
  void takeEnds();
};

}  // namespace bothy
