#pragma once

#include <stddef.h>

namespace bothy {

// Is told about the turn of a call that has to wait for others.  Where it need not wait, of nothing.
class TurnListener {
public:
  // `before` others have their turns first.  Also when their number has changed.  A call behind another of its own machine
  // is told when it is that machine's next.
  virtual void waits(size_t before) = 0;
  // Its turn has come, after waits().
  virtual void begins() = 0;
};

}  // namespace bothy
