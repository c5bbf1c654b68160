#pragma once

#include "control/event-watches.h"
#include "schema/supervisor.capnp.h"
#include "workspace/event-log.h"

namespace bothy {

// One client that watches events: a cursor into the store, moved as fast as the client takes them.
// Nothing is queued for a slow one; it is fed from the store.  Ends when dropped.
class EventWatch final: public rpc::Handle::Server {
public:
  // `log` and `watches` must outlive it.  `place` is given back with it.
  EventWatch(EventLog& log, EventWatches& watches, uint64_t after, rpc::EventSink::Client sink,
             kj::Own<EventWatches::Place> place);

private:
  const kj::Own<EventWatches::Place> place;
  EventLog& log;
  EventWatches& watches;
  uint64_t cursor;
  rpc::EventSink::Client sink;
  kj::Promise<void> feeding;

  kj::Promise<void> feed();
};

}  // namespace bothy
