#pragma once

#include <kj/function.h>
#include <kj/timer.h>

#include <set>

#include "schema/agent.capnp.h"

namespace bothy {

// How often an agent is asked at most for what happened to its lanes.
constexpr kj::Duration LANE_REPORT_PAUSE = 1 * kj::SECONDS;

// What one machine's agent reports of the ends of its lanes, each once.  The agent keeps what was not fetched, so that
// a restart of bothyd loses nothing.
//
// The guest may report what it likes: of lanes that are not this link's, which an earlier bothyd may have opened, only so
// many are listened to.
class LaneReports final {
public:
  using Ended = kj::Function<void(uint64_t lane, rpc::LaneEvent::What why)>;

  // `timer` outlives it.
  LaneReports(kj::Timer& timer, Ended ended) : timer(timer), ended(kj::mv(ended)) {}
  KJ_DISALLOW_COPY_AND_MOVE(LaneReports);

  // A lane that is opened now.
  void expect(uint64_t lane);
  // Asks `agent` until that fails.
  kj::Promise<void> follow(rpc::AgentControl::Client agent);

private:
  kj::Timer& timer;
  Ended ended;
  uint64_t newest = 0;
  std::set<uint64_t> open;
  kj::uint strangersLeft = MAX_STRANGERS;

  void hear(rpc::LaneEvent::Reader event);

  // Lanes of earlier links of which an end is told.
  static constexpr kj::uint MAX_STRANGERS = 64;
  // Lanes that are waited for: more than an agent serves.
  static constexpr size_t MAX_OPEN = 256;
};

}  // namespace bothy
