#pragma once

#include <capnp/message.h>

#include "schema/activity.capnp.h"

namespace bothy {

// What keeps the workspaces of a FakeSupervisor awake: there is "demo" alone.
class FakeActivity final {
public:
  // Set: a rule has paused it.
  bool isPausedByRule = false;
  // Set beside that: it is just being paused.
  bool isBeingPaused = false;
  // It has as many wake locks as it may.
  bool isFull = false;
  // When "demo" will be paused, as `list` tells it.
  int64_t pausesNanos = 0;
  // Of the last wake lock that was taken, and the last changes of figures.
  uint64_t forMillis = 0;
  kj::String reason;
  capnp::MallocMessageBuilder asked;

  rpc::WorkspaceActivity::Client client();

private:
  class Server;
};

}  // namespace bothy
