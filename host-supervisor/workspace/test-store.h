#pragma once

#include <kj/debug.h>
#include <kj/vector.h>

#include "store/sqlite-store.h"

namespace bothy {

// A real database without a thread: what was asked for is done when the call returns.
class TestDatabase final {
public:
  explicit TestDatabase(kj::StringPtr path) : backend(openSqliteBackend(path, {})) {
    backend->begin();
  }

  // What it has now.
  StoredState state() { return backend->begin(); }
  kj::Array<WorkspaceRow> workspaces() { return state().workspaces; }
  uint64_t lastEvent() { return state().lastEvent; }
  kj::Array<EventRecord> events(uint64_t after, size_t limit) {
    return backend->events(after, limit).events;
  }
  Committed commit(Change change) {
    auto outcome = backend->commit(++mark, kj::arrayPtr(&change, 1));
    KJ_IF_MAYBE (refusal, outcome.refusals[0]) kj::throwFatalException(kj::mv(*refusal));
    KJ_REQUIRE(outcome.doubt == nullptr);
    return {outcome.lastEvent};
  }

  kj::Own<StoreBackend> backend;

private:
  uint64_t mark = 0;
};

// A store in it that refuses, or takes its time, when a test says so.
class TestStore final: public Store {
public:
  // `database` may be replaced.
  explicit TestStore(kj::Own<TestDatabase>& database) : database(database) {}

  bool refusesReads = false;
  // Writes that are refused from now on, after those that are taken.
  uint32_t writesToRefuse = 0;
  uint32_t writesToTake = 0;

  // Writes wait from now on, until they are let go.
  void holdWrites() { holds = true; }
  size_t heldWrites() const { return held.size(); }
  // Carries out those that wait.
  void letWritesGo() {
    holds = false;
    for (auto& write : held) {
      KJ_IF_MAYBE (e, kj::runCatchingExceptions(
                          [&]() { write.fulfiller->fulfill(apply(kj::mv(write.change))); })) {
        write.fulfiller->reject(kj::mv(*e));
      }
    }
    held.clear();
  }

  // What is read of requests from now on is told when it is let go, as it was when it was read.
  void holdRequests() { holdsRequests = true; }
  void letRequestsGo() {
    holdsRequests = false;
    for (auto& request : heldRequests) request->fulfill();
    heldRequests.clear();
  }

  kj::Promise<StoredState> begin() override {
    return kj::evalNow([&]() { return reading().begin(); });
  }
  kj::Promise<Committed> commit(Change change) override {
    if (holds) {
      auto paf = kj::newPromiseAndFulfiller<Committed>();
      held.add(Held{kj::mv(change), kj::mv(paf.fulfiller)});
      return kj::mv(paf.promise);
    }
    return kj::evalNow([&]() { return apply(kj::mv(change)); });
  }
  kj::Promise<kj::Maybe<RequestRecord>> request(kj::StringPtr requestId) override {
    auto found = kj::evalNow([&]() { return reading().request(requestId); });
    if (!holdsRequests) return found;
    auto paf = kj::newPromiseAndFulfiller<void>();
    heldRequests.add(kj::mv(paf.fulfiller));
    return paf.promise.then([found = kj::mv(found)]() mutable { return kj::mv(found); });
  }
  kj::Promise<kj::Maybe<kj::Array<const kj::byte>>> configuration(
      kj::StringPtr workspaceId) override {
    return kj::evalNow([&]() { return reading().configuration(workspaceId); });
  }
  kj::Promise<EventPage> events(uint64_t after, size_t limit) override {
    return kj::evalNow([&]() { return reading().events(after, limit); });
  }
  kj::Promise<void> untilFenced() override { return kj::NEVER_DONE; }

private:
  struct Held {
    Change change;
    kj::Own<kj::PromiseFulfiller<Committed>> fulfiller;
  };
  kj::Own<TestDatabase>& database;
  bool holds = false;
  kj::Vector<Held> held;
  bool holdsRequests = false;
  kj::Vector<kj::Own<kj::PromiseFulfiller<void>>> heldRequests;

  StoreBackend& reading() {
    KJ_REQUIRE(!refusesReads, "the database cannot be read");
    return *database->backend;
  }
  Committed apply(Change change) {
    if (writesToTake > 0) {
      writesToTake--;
    } else if (writesToRefuse > 0) {
      writesToRefuse--;
      KJ_FAIL_REQUIRE("database is locked");
    }
    return database->commit(kj::mv(change));
  }
};

}  // namespace bothy
