#pragma once

#include <kj/async-unix.h>
#include <kj/map.h>
#include <kj/timer.h>

#include "control/client-connection.h"
#include "loop/shared-fd.h"
#include "schema/supervisor.capnp.h"
#include "workspace/machine.h"

namespace bothy {

// How long the agent may take to close a lane that was ended here.
constexpr kj::Duration LANE_END_LIMIT = 1 * kj::SECONDS;

// Lanes that a client may hold, with those that have ended and those that are under way.
constexpr kj::uint MAX_HELD_LANES = 64;

// The lives of the lanes that clients hold.
class LaneKeeper final: private kj::TaskSet::ErrorHandler {
public:
  LaneKeeper(kj::UnixEventPort& port, kj::Timer& timer) : port(port), timer(timer), ending(*this) {}
  ~LaneKeeper() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(LaneKeeper);

  // Whose it is, for the log.
  struct Terms {
    kj::String workspace;
    kj::StringPtr purpose;
    ClientIdentity client;
    kj::Maybe<kj::Duration> lifetime;
  };
  // The capability that comes with the lane's descriptor, see Lane in supervisor.capnp.
  rpc::Lane::Client keep(AgentLink::OpenedLane lane, kj::Own<Machine> machine, Terms terms);

  // Fails with OVERLOADED where the client holds too many.
  void requireRoom(const ClientIdentity& client);

  // Of the lanes, for clients' connections.
  DescriptorTable descriptors;

private:
  class Facet;

  kj::UnixEventPort& port;
  kj::Timer& timer;
  kj::HashMap<uint64_t, kj::uint> held;  // by client
  kj::TaskSet ending;

  kj::Promise<void> close(SharedFd fd, uint64_t lane, kj::Own<Machine> machine);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
