#pragma once

#include <kj/timer.h>

#include "schema/supervisor.capnp.h"
#include "workspace/event-log.h"

namespace bothy {

// One client that watches events: a cursor into the store, moved as fast as the client takes them.
// Nothing is queued for a slow one; it is fed from the store.  Ends when dropped.
class EventWatch final: public rpc::Handle::Server {
public:
  // `log` and `timer` must outlive it.  `place` is given back with it.
  EventWatch(EventLog& log, kj::Timer& timer, uint64_t after, rpc::EventSink::Client sink,
             kj::Own<void> place);

private:
  const kj::Own<void> place;
  EventLog& log;
  kj::Timer& timer;
  uint64_t cursor;
  rpc::EventSink::Client sink;
  kj::Promise<void> feeding;

  kj::Promise<void> feed();
};

}  // namespace bothy
