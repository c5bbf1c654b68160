#pragma once

#include <capnp/message.h>
#include <kj/function.h>
#include <kj/vector.h>

#include "schema/supervisor.capnp.h"
#include "support/supervised-host.h"

namespace bothy {

// Every event of a supervisor, from the first, checked to come in order and once.
class EventRecord final {
public:
  explicit EventRecord(SupervisedHost& host);
  ~EventRecord() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(EventRecord);

  kj::Array<rpc::Event::Reader> all();
  // Waits until `condition` holds; fails the test with the events' causes.
  void waitUntil(kj::Function<bool()> condition, kj::StringPtr what);
  // Waits for an event with this cause, wherever it stands.
  void waitFor(rpc::Cause cause);

private:
  class Sink;
  struct Entry {
    capnp::MallocMessageBuilder message;
  };

  SupervisedHost& host;
  kj::Vector<kj::Own<Entry>> entries;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> changed;
  kj::Maybe<rpc::Handle::Client> handle;
};

}  // namespace bothy
