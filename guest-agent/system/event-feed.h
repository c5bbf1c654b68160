#pragma once

#include <kj/async.h>
#include <kj/one-of.h>
#include <kj/string.h>

#include <deque>

#include "process/program-listener.h"
#include "schema/agent.capnp.h"
#include "system/activity-watch.h"
#include "system/listener-watch.h"
#include "wire/waiters.h"

namespace bothy {

// What happened in the machine, numbered, for the supervisor to fetch: the last MAX_AGENT_EVENTS that were not, and MAX_PORT_EVENTS of
// ports beside them, which any program opens and closes as often as it likes: what is new of a port, or of the activity, takes the
// place of what nobody has fetched yet.
class EventFeed final: public ProgramListener {
public:
  using Lane = rpc::AgentEvent::What;
  struct LaneEnded {};
  struct OutOfMemory {
    uint32_t pid;
    kj::String name;
    uint32_t program;  // 0: it is not known
  };
  struct DiskUse {
    uint64_t usedBytes;
    uint64_t totalBytes;
  };
  struct PortChange {
    ListenerWatch::Change change;
    ListenedPort port;
  };
  using Kind = kj::OneOf<LaneEnded, ProgramEnd, OutOfMemory, DiskUse, PortChange, Activity>;

  struct Event {
    uint64_t number;
    uint64_t lane;
    Lane what;
    Kind kind;

    // `now`: by the monotonic clock.
    void writeTo(rpc::AgentEvent::Builder builder, kj::TimePoint now) const;
  };

  EventFeed() = default;
  KJ_DISALLOW_COPY_AND_MOVE(EventFeed);

  void tellLane(uint64_t lane, Lane what);
  void tell(Kind kind);
  void programEnded(const ProgramEnd& end) override;

  // Those up to the number `until`, but see lastActivity().
  void forget(uint64_t until);
  // Those that are kept have been fetched, and may be fetched again.
  void noteFetch() { fetched = newest; }
  // Resolves when there is an event with a higher number than `after`.
  kj::Promise<void> onEventAfter(uint64_t after);
  // Those that are kept.
  const std::deque<Event>& events() const { return kept; }
  uint64_t newestEvent() const { return newest; }
  // For who knows of nothing yet: what was told last of the activity, if that was forgotten, as an event before those that are kept.
  kj::Maybe<Event> lastActivity() const;

private:
  std::deque<Event> kept;
  uint64_t newest = 0;
  uint64_t fetched = 0;  // the last that was
  kj::Maybe<Activity> forgottenActivity;
  Waiters waiting;  // onEventAfter()

  void add(uint64_t lane, Lane what, Kind kind);
  // It becomes the newest.  False: `kind` is of none that may be replaced and was not fetched.
  bool replace(Kind& kind);
};

}  // namespace bothy
