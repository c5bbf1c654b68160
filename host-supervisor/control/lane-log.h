#pragma once

#include <kj/map.h>
#include <kj/timer.h>

#include "control/client-identity.h"
#include "lane/lane-grant.h"
#include "schema/supervisor.capnp.h"

namespace bothy {

// Lines of the log about lanes in a second that one user can make, whatever his clients do; of the others it is told how many they were.
// Who floods the log would else be in it no more, nor anybody else.
constexpr kj::uint MOST_LANE_LINES = 100;

// What the log has of the lanes of clients.
class LaneLog final {
public:
  // `timer` outlives it.
  explicit LaneLog(kj::Timer& timer) : timer(timer) {}
  KJ_DISALLOW_COPY_AND_MOVE(LaneLog);

  // With all that was granted.
  void begin(kj::StringPtr workspace, const LaneGrant& grant, const ClientIdentity& client);
  void end(kj::StringPtr workspace, uint64_t lane, rpc::LaneEnd why, const ClientIdentity& client);
  // There is none, as the agent does not answer.
  void noAnswer(kj::StringPtr workspace, kj::StringPtr why, const ClientIdentity& client);

private:
  struct Lines {
    kj::uint written = 0;
    uint64_t leftOut = 0;
  };

  kj::Timer& timer;
  kj::HashMap<uid_t, Lines> ofSecond;  // by user
  kj::Promise<void> second = nullptr;  // its end, where there are any

  bool admits(const ClientIdentity& client);
  void endSecond();
};

}  // namespace bothy
