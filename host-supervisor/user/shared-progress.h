#pragma once

#include <kj/list.h>
#include <kj/refcount.h>

#include "workspace/start-progress.h"

namespace bothy {

// The progress of one start, for all who have joined it: who comes later is told at once how far it is.
class SharedProgress final: public kj::Refcounted {
public:
  SharedProgress() = default;
  KJ_DISALLOW_COPY_AND_MOVE(SharedProgress);

  // To be told what the others hear.
  kj::Own<Progress> input();
  // Until what this returns is dropped.
  kj::Own<void> listen(kj::Maybe<kj::Own<Progress>> progress);

private:
  class Input;
  struct Listener {
    Listener(kj::Own<SharedProgress> owner, kj::Own<Progress> progress);
    ~Listener() noexcept(false);
    KJ_DISALLOW_COPY_AND_MOVE(Listener);

    kj::Own<SharedProgress> owner;
    kj::Own<Progress> progress;
    kj::ListLink<Listener> link;
  };
  struct Told {
    Stage stage;
    kj::Duration elapsed;
    size_t before;
  };
  kj::Maybe<Told> newest;
  kj::List<Listener, &Listener::link> listeners;
};

}  // namespace bothy
