#pragma once

#include <kj/debug.h>
#include <kj/function.h>

#include "store/store-limits.h"
#include "store/store.h"

namespace bothy {

constexpr EventLimits CONTRACT_LIMITS{.perWorkspace = 20, .age = 30 * kj::DAYS, .total = 60};

inline WorkspaceRow contractRow(kj::StringPtr name) {
  WorkspaceRow row;
  row.id = kj::str("id-", name);
  row.name = kj::str(name);
  row.image = kj::str("base");
  row.cpus = 2;
  row.memoryMib = 512;
  row.diskMib = 4096;
  row.tier = kj::str("pro");
  row.user = kj::str("user of ", name);
  row.userName = kj::str("main");
  row.labels = kj::str("a=b\nc=d");
  row.isConfigured = true;
  row.setupSteps = 3;
  row.createdNanos = 1700000000000000000;
  return row;
}

inline MachineRow contractMachine(kj::StringPtr name, uint32_t number) {
  const kj::byte secret[] = {0, 1, 255};
  return {700000 + number,
          3 + number,
          kj::str("id-", name),
          kj::heapArray<kj::byte>(secret, 3),
          1700000000000000001ll,
          kj::str("1.2.3"),
          0,
          0,
          3,
          1024};
}

inline SessionRow contractSession(kj::StringPtr id, kj::StringPtr workspaceId) {
  SessionRow row;
  row.id = kj::str(id);
  row.workspaceId = kj::str(workspaceId);
  auto hash = kj::heapArray<kj::byte>(TOKEN_HASH_BYTES);
  for (auto& byte : hash) byte = id[0];
  row.tokenHash = kj::mv(hash);
  row.verbs = 0x80000104u;
  row.beneath = kj::heapArray<kj::byte>("/srv"_kj.asBytes());
  row.label = kj::str("ä 'label'");
  row.actor = kj::str("alice");
  row.requestId = kj::str("request-", id);
  row.createdNanos = 11;
  row.expiresNanos = 22;
  return row;
}

inline EventRecord contractEvent(kj::StringPtr name, WorkspaceState before, WorkspaceState after,
                                 kj::StringPtr detail = "ä 'detail'") {
  EventRecord event;
  event.timeNanos = 1700000000000000000;
  event.workspace = kj::str(name);
  event.workspaceId = kj::str("id-", name);
  event.before = before;
  event.after = after;
  event.cause = Cause::VSOCK_LOST;
  event.detail = kj::str(detail);
  event.actor = kj::str("uid 7");
  return event;
}

// The store of a contract's test.
class ContractStore final {
public:
  // A store over what is there, also while others are open.
  using Open = kj::Function<kj::Own<Store>()>;

  ContractStore(kj::WaitScope& scope, Open openParam)
      : scope(scope), open(kj::mv(openParam)), store(open()) {
    initial = store->begin().wait(scope);
  }

  kj::WaitScope& scope;
  Open open;
  // What was there at the beginning.
  StoredState initial;

  Store* operator->() { return store.get(); }

  Change added(kj::StringPtr name, uint32_t number) {
    return kj::mv(
        Change()
            .add(contractRow(name))
            .put(contractMachine(name, number))
            .tell(contractEvent(name, WorkspaceState::CREATING, WorkspaceState::CREATING)));
  }
  Committed commit(Change change) { return store->commit(kj::mv(change)).wait(scope); }
  static const MachineRow& machineOf(const StoredState& state, uint32_t uid) {
    for (auto& machine : state.machines) {
      if (machine.uid == uid) return machine;
    }
    KJ_FAIL_REQUIRE("no lease", uid);
  }
  bool isRefused(kj::Promise<Committed> promise) {
    return promise
        .then([](Committed) { return false; }, [](kj::Exception&& e) { return !isFenced(e); })
        .wait(scope);
  }
  bool isRefused(Change change) { return isRefused(store->commit(kj::mv(change))); }
  // As the next bothyd finds it.
  StoredState reopen() {
    store = nullptr;
    store = open();
    return store->begin().wait(scope);
  }
  kj::Array<EventRecord> events(uint64_t after = 0, size_t limit = 1000) {
    return store->events(after, limit).wait(scope).events;
  }

private:
  kj::Own<Store> store;
};

}  // namespace bothy
