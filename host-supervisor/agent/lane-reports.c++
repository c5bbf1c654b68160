#include "agent/lane-reports.h"

namespace bothy {

void LaneReports::expect(uint64_t lane) {
  open.insert(lane);
  if (open.size() > MAX_OPEN) open.erase(open.begin());
}

kj::Promise<void> LaneReports::follow(rpc::AgentControl::Client agent) {
  for (;;) {
    auto request = agent.eventsRequest();
    request.setAfter(newest);
    auto response = co_await request.send();
    for (auto event : response.getEvents()) {
      // A message holds no more than its size allows.
      if (event.getNumber() > newest) hear(event);
    }
    co_await timer.afterDelay(LANE_REPORT_PAUSE);
  }
}

void LaneReports::hear(rpc::AgentEvent::Reader event) {
  const auto number = event.getNumber();
  if (newest > 0 && number - newest > 1) missed(number - newest - 1);
  newest = number;
  if (!event.isLaneEnded()) return happened(event);
  const auto what = event.getWhat();
  if (what == rpc::AgentEvent::What::BEGAN) return;
  if (open.erase(event.getLane()) == 0) {
    if (strangersLeft == 0) return;
    --strangersLeft;
  }
  ended(event.getLane(), what);
}

}  // namespace bothy
