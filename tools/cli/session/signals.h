#pragma once

#include <kj/async.h>

namespace bothy {

// The signals by which somebody asks this process to end: SIGINT, SIGTERM, SIGHUP, SIGQUIT.
class Signals {
public:
  // The number of the next one.  Until somebody waits for them they are held back.
  virtual kj::Promise<int> next() = 0;
};

}  // namespace bothy
