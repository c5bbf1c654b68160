#include "system/event-feed.h"

#include <algorithm>

#include "schema/limits.capnp.h"

namespace bothy {

void EventFeed::Event::writeTo(rpc::AgentEvent::Builder builder, kj::TimePoint now) const {
  builder.setNumber(number);
  builder.setLane(lane);
  builder.setWhat(what);
  KJ_SWITCH_ONEOF(kind) {
    KJ_CASE_ONEOF(ended, LaneEnded) {
      builder.setLaneEnded();
    }
    KJ_CASE_ONEOF(ended, ProgramEnd) {
      auto told = builder.initProgramEnded();
      told.setPid(ended.pid);
      told.setKind(ended.kind == ProgramKind::TERMINAL ? rpc::ProgramEnded::Kind::TERMINAL
                                                       : rpc::ProgramEnded::Kind::COMMAND);
      told.setName(ended.name);
      ended.status.writeTo(told.initStatus());
    }
    KJ_CASE_ONEOF(victim, OutOfMemory) {
      auto told = builder.initOutOfMemory();
      told.setPid(victim.pid);
      told.setName(victim.name);
      told.setProgram(victim.program);
    }
    KJ_CASE_ONEOF(use, DiskUse) {
      auto told = builder.initDiskFilling();
      told.setUsedBytes(use.usedBytes);
      told.setTotalBytes(use.totalBytes);
    }
    KJ_CASE_ONEOF(change, PortChange) {
      auto told = change.change == ListenerWatch::Change::OPENED ? builder.initPortOpened()
                                                                 : builder.initPortClosed();
      told.setNumber(change.port.number);
      told.setLoopback(change.port.isLoopback);
    }
    KJ_CASE_ONEOF(activity, Activity) {
      auto told = builder.initActivity();
      KJ_IF_MAYBE (then, activity.lastInput) {
        told.getInput().setSinceMillis((now - kj::min(*then, now)) / kj::MILLISECONDS);
      }
      told.setCommands(activity.running.commands);
      told.setTerminals(activity.running.terminals);
      auto& wakes = activity.wakes;
      if (wakes.count > 0) {
        auto longest = told.initLongestWake();
        told.setWakes(wakes.count);
        longest.setUid(wakes.uid);
        longest.setLabel(wakes.label);
        const auto millis = (now - kj::origin<kj::TimePoint>()) / kj::MILLISECONDS;
        longest.setLeftMillis(wakes.untilMillis - kj::min(wakes.untilMillis, millis));
      }
    }
  }
}

void EventFeed::tellLane(uint64_t lane, Lane what) {
  add(lane, what, LaneEnded());
}

void EventFeed::tell(Kind kind) {
  if (replace(kind)) return;
  add(0, Lane::BEGAN, kj::mv(kind));
}

void EventFeed::programEnded(const ProgramEnd& end) {
  tell(end.clone());
}

void EventFeed::forget(uint64_t until) {
  while (!kept.empty() && kept.front().number <= until) {
    if (kept.front().kind.is<Activity>()) forgottenActivity = kept.front().kind.get<Activity>();
    kept.pop_front();
  }
}

kj::Maybe<EventFeed::Event> EventFeed::lastActivity() const {
  return forgottenActivity.map([this](const Activity& activity) {
    // So that nothing seems to be missed between it and the next.
    const auto number = kept.empty() ? newest : kept.front().number - 1;
    return Event{number, 0, Lane::BEGAN, Activity(activity)};
  });
}

kj::Promise<void> EventFeed::onEventAfter(uint64_t after) {
  while (newest <= after) co_await waiting.wait();
}

bool EventFeed::replace(Kind& kind) {
  auto isSame = [&](const Kind& known) {
    if (kind.is<Activity>()) return known.is<Activity>();
    return kind.is<PortChange>() && known.is<PortChange>() &&
           known.get<PortChange>().port == kind.get<PortChange>().port;
  };
  for (auto event = kept.begin(); event != kept.end(); ++event) {
    if (event->number <= fetched || !isSame(event->kind)) continue;
    // Those behind it have not been fetched either: they move up, so that no number is missing.
    for (event = kept.erase(event); event != kept.end(); ++event) --event->number;
    kept.push_back({newest, 0, Lane::BEGAN, kj::mv(kind)});
    return true;
  }
  return false;
}

void EventFeed::add(uint64_t lane, Lane what, Kind kind) {
  const bool isPort = kind.is<PortChange>();
  auto isSuch = [isPort](const Event& event) { return event.kind.is<PortChange>() == isPort; };
  kept.push_back({++newest, lane, what, kj::mv(kind)});
  if (std::ranges::count_if(kept, isSuch) >
      (isPort ? rpc::MAX_PORT_EVENTS : rpc::MAX_AGENT_EVENTS)) {
    kept.erase(std::ranges::find_if(kept, isSuch));
  }
  waiting.wakeAll();
}

}  // namespace bothy
