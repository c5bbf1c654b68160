#pragma once

#include <kj/async.h>

namespace bothy {

// The signals by which somebody asks this process to end: SIGINT, SIGTERM, SIGHUP, and SIGQUIT where that is taken.
class Signals {
public:
  // From here on SIGQUIT is one of them.  Before, and for commands that have no use for it, it ends this process at once, as it does where
  // this process is held up and hears of no other.
  virtual void takeQuit() = 0;
  // The number of the next one.  Until somebody waits for them they are held back.
  virtual kj::Promise<int> next() = 0;
};

}  // namespace bothy
