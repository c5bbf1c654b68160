#pragma once

#include <kj/function.h>
#include <kj/timer.h>

#include <set>

#include "schema/agent.capnp.h"

namespace bothy {

// How often an agent is asked at most for what happened to its lanes.
constexpr kj::Duration LANE_REPORT_PAUSE = 1 * kj::SECONDS;

// What one machine's agent reports of the ends of its lanes, each once.  The agent keeps the last `maxAgentEvents` that were not
// fetched, so that a restart of bothyd loses nothing unless more end meanwhile.
//
// The guest may report what it likes: of lanes that are not this link's, which an earlier bothyd may have opened, only so
// many are listened to.
class LaneReports final {
public:
  using Ended = kj::Function<void(uint64_t lane, rpc::AgentEvent::What why)>;
  // The agent did not keep so many between two that it reports.  What it did not keep before the first is not known: an earlier link
  // may have heard it.
  using Missed = kj::Function<void(uint64_t count)>;

  // Anything else that it reports, in the same row of numbers.
  using Happened = kj::Function<void(rpc::AgentEvent::Reader)>;

  // `timer` outlives it.
  LaneReports(kj::Timer& timer, Ended ended, Missed missed, Happened happened = ignore())
      : timer(timer), ended(kj::mv(ended)), missed(kj::mv(missed)), happened(kj::mv(happened)) {}
  KJ_DISALLOW_COPY_AND_MOVE(LaneReports);

  // A lane that is opened now.
  void expect(uint64_t lane);
  // Asks `agent` until that fails.
  kj::Promise<void> follow(rpc::AgentControl::Client agent);

private:
  kj::Timer& timer;
  Ended ended;
  Missed missed;
  Happened happened;
  uint64_t newest = 0;
  std::set<uint64_t> open;
  kj::uint strangersLeft = MAX_STRANGERS;

  void hear(rpc::AgentEvent::Reader event);
  static Happened ignore() {
    return [](rpc::AgentEvent::Reader) {};
  }

  // Lanes of earlier links of which an end is told: as many as an agent keeps.
  static constexpr kj::uint MAX_STRANGERS = rpc::MAX_AGENT_EVENTS;
  // Lanes that are waited for: more than an agent serves.
  static constexpr size_t MAX_OPEN = 256;
};

}  // namespace bothy
