#include "simulation/faulty-store.h"

#include <kj/debug.h>

namespace bothy {

void FaultyStore::mayRefuseToRead() {
  lifetime.require();
  if (!host.fate.strikes(Fault::READ_REFUSED)) return;
  host.trace.line("store", "read: refused");
  kj::throwFatalException(KJ_EXCEPTION(FAILED, "simulated: the database cannot be read"));
}

template <typename Func>
void FaultyStore::write(kj::String what, Func&& change) {
  lifetime.require();
  if (host.fate.strikes(Fault::WRITE_REFUSED)) {
    host.trace.line("store", what, ": refused");
    auto why = host.fate.oneIn(2) ? "database is locked"_kj : "database or disk is full"_kj;
    kj::throwFatalException(KJ_EXCEPTION(FAILED, kj::str("simulated: ", why)));
  }
  apply(lifetime, [&]() {
    host.touch();
    change();
    host.trace.line("store", what);
  });
}

kj::Array<WorkspaceRow> FaultyStore::workspaces() {
  mayRefuseToRead();
  return host.store.workspaces();
}

void FaultyStore::insert(const WorkspaceRow& row, const EventRecord& event,
                         kj::Maybe<const RequestRecord&> request) {
  write(kj::str("insert ", row.name, ", uid ", row.uid, ", id ", row.id),
        [&]() { host.store.insert(row, event, request); });
}

void FaultyStore::update(const WorkspaceRow& row, kj::Maybe<const EventRecord&> event) {
  kj::String why;
  KJ_IF_MAYBE (e, event) {
    why = kj::str(", ", e->cause, e->detail.size() > 0 ? ": " : "", e->detail);
  }
  write(kj::str("update ", host.label(row.id), " to ", row.state, why), [&]() {
    host.store.update(row, event);
    if (host.sabotage == Sabotage::ROW_IS_LOST && host.fate.oneIn(20)) host.store.lose(row.id);
  });
}

void FaultyStore::remove(kj::StringPtr id, const EventRecord& event) {
  write(kj::str("remove ", host.label(id)), [&]() { host.store.remove(id, event); });
}

void FaultyStore::append(const EventRecord& event) {
  write(kj::str("append ", host.label(event.workspaceId), ", ", event.cause),
        [&]() { host.store.append(event); });
}

kj::Maybe<RequestRecord> FaultyStore::request(kj::StringPtr requestId) {
  mayRefuseToRead();
  return host.store.request(requestId);
}

kj::Array<EventRecord> FaultyStore::events(uint64_t after, size_t limit) {
  mayRefuseToRead();
  return host.store.events(after, limit);
}

uint64_t FaultyStore::firstEvent() {
  mayRefuseToRead();
  return host.store.firstEvent();
}

uint64_t FaultyStore::lastEvent() {
  mayRefuseToRead();
  return host.store.lastEvent();
}

}  // namespace bothy
