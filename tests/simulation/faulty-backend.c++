#include "simulation/faulty-backend.h"

#include <kj/debug.h>

namespace bothy {
namespace {

constexpr kj::Duration LONGEST = 3 * kj::SECONDS;

bool tellsOfAnEnd(kj::ArrayPtr<const Change> changes) {
  for (auto& change : changes) {
    for (auto& event : change.events) {
      if (event.cause == Cause::GUEST_POWERED_OFF || event.cause == Cause::VM_EXITED) return true;
    }
  }
  return false;
}

}  // namespace

void FaultyBackend::mayRefuseToRead() {
  lifetime.require();
  if (!host.fate.strikes(Fault::READ_REFUSED)) return;
  host.trace.line("store", "read: refused");
  kj::throwFatalException(KJ_EXCEPTION(FAILED, "simulated: the database cannot be read"));
}

kj::Promise<void> FaultyBackend::mayTakeLong() {
  if (!host.fate.strikes(Fault::STORE_SLOW)) co_return;
  co_await host.timer.afterDelay(host.fate.between(0 * kj::SECONDS, LONGEST));
}

kj::Promise<StoredState> FaultyBackend::begin() {
  mayRefuseToRead();
  co_await mayTakeLong();
  lifetime.require();
  epoch = host.store.takeEpoch();
  co_return host.store.state();
}

kj::Promise<kj::Maybe<RequestRecord>> FaultyBackend::request(kj::StringPtr requestIdParam) {
  auto requestId = kj::str(requestIdParam);
  mayRefuseToRead();
  co_await mayTakeLong();
  co_return host.store.request(requestId);
}

kj::Promise<kj::Maybe<kj::Array<const kj::byte>>> FaultyBackend::configuration(
    kj::StringPtr workspaceIdParam) {
  auto workspaceId = kj::str(workspaceIdParam);
  mayRefuseToRead();
  co_await mayTakeLong();
  co_return host.store.configuration(workspaceId);
}

kj::Promise<EventPage> FaultyBackend::events(uint64_t after, size_t limit) {
  mayRefuseToRead();
  co_await mayTakeLong();
  co_return host.store.events(after, limit);
}

kj::Promise<bool> FaultyBackend::holds(uint64_t mark) {
  mayRefuseToRead();
  co_await mayTakeLong();
  co_return host.store.holds(epoch, mark);
}

void FaultyBackend::trace(const Change& change) {
  for (auto& step : change.steps) {
    KJ_SWITCH_ONEOF(step) {
      KJ_CASE_ONEOF(add, Change::Add<WorkspaceRow>) {
        host.trace.line("store", "insert ", add.row.name, ", id ", add.row.id);
      }
      KJ_CASE_ONEOF(update, Change::Update<WorkspaceRow>) {
        host.trace.line("store", "update ", host.label(update.row.id), " to ", update.row.rest);
      }
      KJ_CASE_ONEOF(remove, Change::RemoveWorkspace) {
        host.trace.line("store", "remove ", host.label(remove.id));
      }
      KJ_CASE_ONEOF(put, Change::PutMachine) {
        host.trace.line("store", "lease ", put.row.uid, " is of ", host.label(put.row.workspaceId));
      }
      KJ_CASE_ONEOF(release, Change::ReleaseMachine) {
        host.trace.line("store", "the lease of ", host.label(release.workspaceId), " rests");
      }
      KJ_CASE_ONEOF(add, Change::Add<SessionRow>) {
        host.trace.line("store", "insert session ", add.row.id, " of ",
                        host.label(add.row.workspaceId));
      }
      KJ_CASE_ONEOF(update, Change::Update<SessionRow>) {
        host.trace.line("store", "update session ", update.row.id,
                        update.row.revokedNanos != 0 ? ", revoked" : "");
      }
      KJ_CASE_ONEOF(remove, Change::RemoveSession) {
        host.trace.line("store", "remove session ", remove.id);
      }
      KJ_CASE_ONEOF_DEFAULT {}
    }
  }
  for (auto& event : change.events) {
    host.trace.line("store", "event of ", host.label(event.workspaceId), ", ", event.cause,
                    event.detail.size() > 0 ? ": " : "", event.detail);
  }
}

kj::Promise<GroupOutcome> FaultyBackend::commit(uint64_t mark, kj::Array<Change> changes) {
  lifetime.require();
  co_await mayTakeLong();
  lifetime.require();
  auto fail = [&](kj::StringPtr why) {
    host.trace.line("store", changes.size(), " changes refused: ", why);
    kj::throwFatalException(KJ_EXCEPTION(FAILED, kj::str("simulated: ", why)));
  };
  if (host.fate.strikes(Fault::WRITE_REFUSED) ||
      (tellsOfAnEnd(changes) && host.fate.strikes(Fault::END_REFUSED))) {
    fail(host.fate.oneIn(2) ? "database is locked"_kj : "database or disk is full"_kj);
  }
  GroupOutcome outcome;
  if (host.fate.strikes(Fault::STORE_DOUBT_OUT)) {
    outcome.refusals = kj::heapArray<kj::Maybe<kj::Exception>>(changes.size());
    outcome.doubt = KJ_EXCEPTION(FAILED, "simulated: the disk failed at the end, before");
    host.trace.line("store", changes.size(), " changes in doubt, and not in");
    co_return kj::mv(outcome);
  }
  apply(lifetime, [&]() {
    host.touch();
    for (auto& change : changes) host.examineLeases(change);
    // Before it is done: what it tells of may be gone then.
    for (auto& change : changes) trace(change);
    outcome = host.store.commit(epoch, mark, changes);
    if (host.sabotage == Sabotage::ROW_IS_LOST && host.fate.oneIn(20)) {
      for (auto& change : changes) {
        for (auto& step : change.steps) {
          KJ_IF_MAYBE (update, step.tryGet<Change::Update<WorkspaceRow>>()) {
            host.store.lose(update->row.id);
          }
        }
      }
    }
  });
  if (host.fate.strikes(Fault::STORE_DOUBT_IN)) {
    outcome.doubt = KJ_EXCEPTION(FAILED, "simulated: the disk failed at the end, after");
    host.trace.line("store", changes.size(), " changes in doubt, and in");
  }
  co_await mayTakeLong();
  co_return kj::mv(outcome);
}

}  // namespace bothy
