#pragma once

#include <kj/debug.h>

#include "store/store.h"

namespace bothy {

// A store that refuses when a test says so.
class TestStore final: public Store {
public:
  // `inner` may be replaced.
  explicit TestStore(kj::Own<Store>& inner) : inner(inner) {}

  bool refusesReads = false;
  // Writes that are refused from now on.
  uint32_t writesToRefuse = 0;

  kj::Array<WorkspaceRow> workspaces() override { return reading().workspaces(); }
  void insert(const WorkspaceRow& row, const EventRecord& event,
              kj::Maybe<const RequestRecord&> request) override {
    writing().insert(row, event, request);
  }
  void update(const WorkspaceRow& row, kj::Maybe<const EventRecord&> event) override {
    writing().update(row, event);
  }
  void remove(kj::StringPtr id, const EventRecord& event) override { writing().remove(id, event); }
  void append(const EventRecord& event) override { writing().append(event); }
  kj::Maybe<RequestRecord> request(kj::StringPtr requestId) override {
    return reading().request(requestId);
  }
  kj::Array<EventRecord> events(uint64_t after, size_t limit) override {
    return reading().events(after, limit);
  }
  uint64_t firstEvent() override { return reading().firstEvent(); }
  uint64_t lastEvent() override { return reading().lastEvent(); }

private:
  kj::Own<Store>& inner;

  Store& reading() {
    KJ_REQUIRE(!refusesReads, "the database cannot be read");
    return *inner;
  }
  Store& writing() {
    if (writesToRefuse > 0) {
      writesToRefuse--;
      KJ_FAIL_REQUIRE("database is locked");
    }
    return *inner;
  }
};

}  // namespace bothy
