#pragma once

#include <catch2/catch_test_macros.hpp>

#include "workspace/test-world.h"

namespace bothy {

// A host with a running workspace `demo`, and so many user ids for machines.
struct LeaseHost {
  TestWorld w;
  kj::String id;
  uint32_t uid;

  explicit LeaseHost(uint32_t uids = 10000) {
    w.limits.leases.count = uids;
    w.restart();
    w.manager->create(w.request("demo"), nullptr).wait(w.scope);
    id = kj::str(w.find("demo")->row().id);
    uid = w.lease("demo").uid;
    REQUIRE(w.volumes.owner(id) == uid);
  }
  kj::String whyNotStarted(kj::StringPtr name) {
    auto outcome = w.find(name)->start(nullptr).wait(w.scope);
    auto& report = *outcome.get<kj::Own<StartReport>>();
    return kj::str(KJ_ASSERT_NONNULL(report.failure).message);
  }
  void later() {
    w.settle();
    w.advance(Deadlines().retry.most);
    w.settle();
  }
  void checkReleased() {
    CHECK(w.find("demo")->machineRow() == nullptr);
    CHECK(w.storedLeases() == 0);
    CHECK(w.manager->leasesInUse() == 0);
    CHECK(w.volumes.owner(id) == 0);
  }
  // It waits for something of its machine.
  void checkKept() {
    CHECK(w.lease("demo").uid == uid);
    CHECK(w.lease("demo").secret.size() == 0);
    CHECK(w.storedLeases() == 1);
    CHECK(w.manager->leasesInUse() == 1);
  }
};

}  // namespace bothy
