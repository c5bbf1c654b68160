#pragma once

#include <sys/types.h>

#include <kj/async-unix.h>
#include <kj/map.h>

namespace bothy {

// Reaps the children of the main thread: those that this program spawned there, and the orphans below
// it (a daemon whose starter is gone becomes a child of the nearest subreaper's main thread).
// It never waits for children of other threads: libvirt forks on threads of its own and waits for them
// itself.  KJ's captureChildExit() claims those too, so this program must not use it.
//
// One a process, on the main thread, alive as long as the event loop.
class Subreaper final {
public:
  // Must be called before the first thread starts and before the event port is made.
  static void prepare();

  explicit Subreaper(kj::UnixEventPort& port);
  ~Subreaper() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(Subreaper);

  // What a child has taken of the processors, by all its threads and the children for which it has waited: from its end on.  To be asked for
  // while it is there, also where it is nobody's child here: then nothing is known of it.
  class Account {
  public:
    virtual kj::Maybe<kj::Duration> taken() const = 0;
  };
  kj::Own<Account> follow(pid_t child);

  // The wait status of `child`, as waitpid() gives it.  To be called in the turn of the event loop in
  // which it was forked.
  kj::Promise<int> onExit(pid_t child);

private:
  kj::UnixEventPort& port;
  class Following;
  kj::HashMap<pid_t, kj::Own<kj::PromiseFulfiller<int>>> expected;
  kj::HashMap<pid_t, Following*> followed;
  kj::Promise<void> loop;

  kj::Promise<void> reapForever();
  void reap();
};

}  // namespace bothy
