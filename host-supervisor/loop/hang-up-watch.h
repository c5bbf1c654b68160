#pragma once

#include <kj/io.h>
#include <kj/map.h>
#include <kj/thread.h>

#include "loop/inbox.h"

namespace bothy {

// Hears of many descriptors that they have hung up or failed, or that nothing more can come from the peer (EPOLLHUP, EPOLLERR,
// EPOLLRDHUP of epoll_ctl(2)), and of nothing else.  One that is watched costs no promise: those take a KiB each.
//
// Has an epoll and a thread of its own.  Within the event loop's epoll it would be nested, and to add to such a one takes a lock
// of the whole host (epnested_mutex of Linux), which any process can hold for long.
class HangUpWatch final {
public:
  HangUpWatch();
  ~HangUpWatch() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(HangUpWatch);

  class Listener {
  public:
    // Once at most, by the event loop.  May end any entry.
    virtual void onHangUp() = 0;

  protected:
    ~Listener() = default;
  };

  // A descriptor that is watched for as long as this object lives, which all that it is given outlives.
  class Entry final {
  public:
    Entry(HangUpWatch& watch, int fd, Listener& listener);
    ~Entry() noexcept(false);
    KJ_DISALLOW_COPY_AND_MOVE(Entry);

  private:
    HangUpWatch& watch;
    const int fd;
    const uint64_t number;
  };

private:
  kj::AutoCloseFd epoll;
  kj::AutoCloseFd end;
  // By number, so that what is heard of an entry that has ended means nobody.
  kj::HashMap<uint64_t, Listener*> listeners;
  uint64_t next = 0;
  // No fuller than there are entries: each is heard of once.
  Inbox<uint64_t> heard{kj::maxValue};
  kj::Promise<void> telling;
  kj::Thread thread;

  kj::Promise<void> tell();
  void listen() const;
};

}  // namespace bothy
