#pragma once

#include <kj/map.h>
#include <kj/refcount.h>
#include <kj/timer.h>

#include "control/client-identity.h"
#include "control/descriptor-table.h"
#include "control/lane-log.h"
#include "control/peer-looks.h"
#include "loop/hang-up-watch.h"
#include "loop/shared-fd.h"
#include "machine/machine.h"
#include "schema/supervisor.capnp.h"

namespace bothy {

// How long the agent may take to close a lane that has ended; then the machine's vsock device is replaced, which ends all of its lanes.  And
// how long until the next replacement, where it did not end the lane.
// Long, because nobody can use such a lane, and replacing the device of a guest that is only busy would end the other clients' lanes.
constexpr kj::Duration LANE_END_LIMIT = 10 * kj::SECONDS;

// Lanes that a client may hold, with those that have ended, those that are under way and those that are being closed.
constexpr kj::uint MAX_HELD_LANES = 64;

// The lives of the lanes that clients hold.
class LaneKeeper final: private kj::TaskSet::ErrorHandler {
public:
  // Both outlive it.
  LaneKeeper(kj::Timer& timer, PeerLooks& looks)
      : log(timer), timer(timer), looks(looks), ending(*this) {}
  ~LaneKeeper() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(LaneKeeper);

  // One of the lanes that a client may hold, for as long as this object lives, which the keeper outlives.
  class Place final: public kj::Refcounted {
  public:
    Place(LaneKeeper& keeper, uint64_t client);
    ~Place() noexcept(false);
    KJ_DISALLOW_COPY_AND_MOVE(Place);

  private:
    LaneKeeper& keeper;
    const uint64_t client;
  };
  // To be taken before a lane is opened, and kept until it is closed.  Fails with OVERLOADED where the client has as many as it may.
  kj::Own<Place> requireRoom(const ClientIdentity& client);

  // Who has it.
  struct Terms {
    ClientIdentity client;
    // None: it counts as nobody's.
    kj::Maybe<kj::Own<Place>> place = nullptr;
    // Dropped when the lane has ended.
    kj::Own<void> presence = {};
  };
  // Resolves when the client may not have its lane any more, which is ended at once then: EXPIRED or REVOKED.
  using Withdrawal = kj::Promise<rpc::LaneEnd>;
  // The capability that comes with the lane's descriptor, see Lane in supervisor.capnp.  Logs when the lane begins, with all that was
  // granted, and when it ends, with the reason.
  rpc::Lane::Client keep(AgentLink::OpenedLane lane, kj::Own<Machine> machine, Terms terms,
                         kj::Maybe<Withdrawal> withdrawal = nullptr);

  // Both of the lanes; the first for clients' connections.
  DescriptorTable descriptors;
  LaneLog log;

private:
  class Facet;
  class MachineLanes;

  kj::Timer& timer;
  PeerLooks& looks;
  HangUpWatch hangUps;
  kj::HashMap<uint64_t, kj::uint> held;  // by client
  kj::HashMap<Machine*, MachineLanes*> machines;
  kj::uint closing = 0;  // lanes
  kj::TaskSet ending;

  kj::Own<MachineLanes> lanesOf(kj::Own<Machine> machine);
  // Whether nothing more comes from the agent.
  enum class FarEnd { OPEN, HUNG_UP };
  // `givenBack` resolves when the client has no more use for it.
  kj::Promise<void> close(SharedFd fd, uint64_t lane, kj::Own<Machine> machine,
                          kj::Maybe<kj::Own<Place>> place, FarEnd farEnd,
                          kj::Promise<void> givenBack);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
