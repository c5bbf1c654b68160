#pragma once

#include <kj/async.h>
#include <kj/function.h>
#include <kj/list.h>
#include <kj/timer.h>
#include <kj/vector.h>

#include "lane/lane-grant.h"
#include "schema/agent.capnp.h"
#include "system/event-feed.h"
#include "wire/waiters.h"

namespace bothy {

// The lanes that are served: how many there may be, who ends them, and what happened to them.
class LaneRegistry final {
public:
  // `timer`, which counts lanes' lifetimes, outlives it.
  explicit LaneRegistry(kj::Timer& timer) : timer(timer) {}
  ~LaneRegistry() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(LaneRegistry);

  // A lane from its Welcome to its end.  Dropping it is the end.
  class Entry {
  public:
    // See add().
    Entry(LaneRegistry& registry, LaneGrant grant);
    ~Entry() noexcept(false);
    KJ_DISALLOW_COPY_AND_MOVE(Entry);

    // Resolves when the lane is to be closed: by order, because its lifetime is over, or by close().  Call once.
    kj::Promise<void> onOrder();
    // Its host has closed it: onOrder() resolves.
    void close() { order.fulfiller->fulfill(); }
    const LaneGrant grant;

  private:
    friend class LaneRegistry;

    LaneRegistry& registry;
    const kj::TimePoint began;
    rpc::AgentEvent::What fate = rpc::AgentEvent::What::ENDED;
    kj::PromiseFulfillerPair<void> order = kj::newPromiseAndFulfiller<void>();
    kj::ListLink<Entry> link;
  };

  // A new control lane ends the one that there is.  Every other over a limit is refused: TOO_MANY_LANES.
  kj::OneOf<kj::Own<Entry>, rpc::Refusal> add(LaneGrant grant);

  // Orders the end of the lanes that `choice` names, but not of a control lane by its session; resolves when they are
  // closed.  How many there were.
  kj::Promise<uint32_t> end(rpc::LaneChoice::Reader choice);

  size_t size() const { return entries.size(); }
  // Calls `describe(entry, age)` for each, the oldest first.
  void forEach(kj::Function<void(const Entry&, kj::Duration)> describe);

  // Which tells of their ends, and of what others tell it.
  EventFeed& feed() { return events; }

private:
  kj::Timer& timer;
  kj::List<Entry, &Entry::link> entries;
  EventFeed events;
  Waiters leaving;  // for the end of any lane

  bool isFull(const LaneGrant& grant);
  void order(Entry& entry, rpc::AgentEvent::What why);
};

}  // namespace bothy
