#pragma once

#include <kj/map.h>
#include <kj/timer.h>

#include "control/client-identity.h"
#include "lane/lane-grant.h"
#include "schema/supervisor.capnp.h"

namespace bothy {

// Lines of the log about lanes in a second that one user can make, whatever his clients do; of the others it is told how many they were.
// Who floods the log would else be in it no more, nor anybody else.  Those that say what was granted have a number of their own: no lane
// keeps its grant out of the log because others end or are not answered.
constexpr kj::uint MOST_GRANT_LINES = 100;
constexpr kj::uint MOST_OTHER_LANE_LINES = 100;

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

    bool admits(kj::uint most);
  };
  struct User {
    Lines grants;
    Lines others;
  };

  kj::Timer& timer;
  kj::HashMap<uid_t, User> ofSecond;   // by user
  kj::Promise<void> second = nullptr;  // its end, where there are any

  User& linesOf(const ClientIdentity& client);
  void endSecond();
};

}  // namespace bothy
