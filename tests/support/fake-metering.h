#pragma once

#include <capnp/message.h>
#include <kj/vector.h>

#include "schema/metering.capnp.h"

namespace bothy {

// The usage of a FakeSupervisor's workspaces: what a test has put there, and at first that "demo" has run for a second.
class FakeMetering final {
public:
  FakeMetering();

  struct Record {
    kj::StringPtr id;
    kj::StringPtr name;
    int64_t fromMillis;
    int64_t untilMillis;
    int64_t runningMillis = 0;
    int64_t pausedMillis = 0;
    int64_t stoppedMillis = 0;
    int64_t cpuMicros = 0;
    int64_t memoryMibMillis = 0;
    int64_t diskMibMillis = 0;
  };
  // Those that are closed have the numbers 1, 2, ...
  kj::Vector<Record> closed;
  kj::Vector<Record> open;
  // Of records on a page.
  kj::uint page = 1000;
  // So many of those that are closed were closed while somebody asked for the open ones.
  kj::uint closedMeanwhile = 0;
  // Of the last call.
  kj::String workspace, user;
  int64_t sinceMillis = 0, untilMillis = 0;

  rpc::Metering::Client metering();
  // Answers such a call of a supervisor's.
  template <typename Context>
  kj::Promise<void> give(Context& call) {
    call.getResults().setMetering(metering());
    return kj::READY_NOW;
  }

private:
  class Server;
};

}  // namespace bothy
