#pragma once

#include <kj/async.h>

namespace bothy {

// The order of the calls of a `-> stream` sequence, in a server whose calls wait.
//
// Cap'n Proto runs them one after the other.  When a connection ends it cancels those that queue in any order, and whichever is left
// when the one under way is cancelled runs: what it brings would follow a gap.  So a call that was cancelled, or failed, is the last.
class StreamOrder final {
public:
  StreamOrder() = default;
  KJ_DISALLOW_COPY_AND_MOVE(StreamOrder);

  // Fails with DISCONNECTED where a call before this one did not come to its end: for a call that holds up none.
  void requireUnbroken() const;
  // The same for one that waits.
  void begin();
  // The call is over.
  void end() { isUnderWay = false; }
  // The same when `call` is.  The server outlives it.
  kj::Promise<void> endAfter(kj::Promise<void> call);

private:
  bool isUnderWay = false;
};

}  // namespace bothy
