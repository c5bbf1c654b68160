#pragma once

#include <capnp/message.h>
#include <kj/function.h>
#include <kj/refcount.h>
#include <kj/vector.h>

#include "schema/supervisor.capnp.h"
#include "support/supervised-host.h"

namespace bothy {

// Every event of a supervisor, from the first or from one on, checked to come in order and once.
class EventRecord final {
public:
  explicit EventRecord(SupervisedHost& host, uint64_t after = 0);
  ~EventRecord() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(EventRecord);

  // The number of the newest event: for `after`, on a host on which much has happened already.
  static uint64_t newest(SupervisedHost& host);

  kj::Array<rpc::Event::Reader> all();
  // Those that are not what a guest reports of itself, which may come late.
  kj::Array<rpc::Event::Reader> ofHost();
  // Waits until `condition` holds; fails the test with the events' causes.
  void waitUntil(kj::Function<bool()> condition, kj::StringPtr what);
  // Waits for an event with this cause, wherever it stands.
  void waitFor(rpc::Cause cause);

private:
  class Sink;
  struct Entry {
    capnp::MallocMessageBuilder message;
  };
  // Nobody once this is dropped, while an event may still be on its way.
  struct Link: public kj::Refcounted {
    explicit Link(EventRecord& record) : record(record) {}
    kj::Maybe<EventRecord&> record;
  };

  SupervisedHost& host;
  kj::Vector<kj::Own<Entry>> entries;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> changed;
  kj::Maybe<rpc::Handle::Client> handle;
  kj::Own<Link> link = kj::refcounted<Link>(*this);

  void add(rpc::Event::Reader event);
};

}  // namespace bothy
