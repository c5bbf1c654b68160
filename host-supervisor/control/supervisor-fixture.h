#pragma once

#include <kj/debug.h>

#include "activity/workspace-idle-world.h"
#include "control/client-connection.h"
#include "control/direct-peer-looks.h"
#include "control/lane-keeper.h"
#include "control/own-uids.h"
#include "control/supervisor-facet.h"
#include "lane/lane-descriptor.h"
#include "lane/lane.h"
#include "metering/test-host.h"
#include "workspace/test-world.h"

namespace bothy {

// A host that gets worse each time it is looked at.
class AgeingHost final: public Examiner {
public:
  kj::Promise<kj::Own<Examination>> examine() override {
    auto findings = kj::heapArrayBuilder<Finding>(3);
    findings.add(good("fuse", kj::str("/dev/fuse")));
    findings.add(warning("swap", kj::str("look ", ++looks), "switch it off"));
    findings.add(refusal("root", kj::str("user 1"), "be root"));
    return kj::refcounted<Examination>(findings.finish());
  }

private:
  int looks = 0;
};

struct Fixture: public TestWorld {
  OwnUids uidOwners;
  AgeingHost examiner;
  DirectPeerLooks looks;
  LaneKeeper lanes{timer, looks};
  EventWatches watches{timer};
  kj::Own<SessionRegistry> sessions;
  FakeUsageStore usage;
  kj::Own<RegisteredHost> metered;
  kj::Own<Metering> metering;
  kj::Own<UserWorkspaces> users;
  IdlePolicy idlePolicy;
  kj::Own<WorkspaceIdleWorld> idleWorld;
  kj::Own<ActivityKeeper> activity;
  MessageBudget budget{CLIENTS_LIMITS};
  kj::Own<ClientConnection> server;
  kj::Own<RpcConnection> client;
  kj::Maybe<rpc::Supervisor::Client> held;
  const LaneGrant* lastGrant = nullptr;
  kj::String start = kj::str("start");
  // Told to facets that are made from now on.
  kj::ArrayPtr<const VerbGeneration> newerVerbs = verbsSinceTheOldest();

  Fixture() { serve(); }

  void restart() {
    activity = nullptr;
    idleWorld = nullptr;
    sessions = nullptr;
    metering = nullptr;
    metered = nullptr;
    users = nullptr;
    TestWorld::restart();
  }

  // What facets serve.
  SupervisorFacet::Rooms rooms() {
    return {*manager, *events,   driver.abilities(), examiner,  lanes,
            watches,  *sessions, *activity,          *metering, *users,
            "9.9.9",  start,     newerVerbs};
  }

  // The present manager, over a new connection.
  void serve() {
    held = nullptr;
    client = nullptr;
    server = nullptr;
    activity = nullptr;
    idleWorld = nullptr;
    sessions = nullptr;
    sessions = kj::heap<SessionRegistry>(world(), *manager, SessionRegistry::Limits{});
    sessions->enter(manager->takeSessions());
    metering = nullptr;
    metered = kj::heap<RegisteredHost>(*manager, driver, clock);
    metering = kj::heap<Metering>(usage, *events, *metered, timer);
    users = kj::heap<UserWorkspaces>(*manager, randomness);
    idleWorld = kj::heap<WorkspaceIdleWorld>(timer, *manager, idlePolicy);
    activity = kj::heap<ActivityKeeper>(
        ActivityKeeper::Rooms{timer, clock, randomness, *events, refusing, *idleWorld});
    activity->enter(manager->takeActivities(), manager->takeWakeLocks());
    auto pipe = io.provider->newCapabilityPipe();
    server = kj::heap<ClientConnection>(
        kj::heap<DescriptorFilter>(kj::mv(pipe.ends[0]), 0), lanes.descriptors,
        kj::heap<SupervisorFacet>(rooms(), ClientIdentity{1, 0, 0, 0}), io.provider->getTimer(),
        budget);
    client = kj::heap<RpcConnection>(kj::mv(pipe.ends[1]), 1);
    held = client->bootstrap().castAs<rpc::Supervisor>();
  }

  rpc::Supervisor::Client& supervisor() { return KJ_ASSERT_NONNULL(held); }

  auto connect(kj::StringPtr name) {
    auto request = supervisor().connectRequest();
    request.setName(name);
    request.initWanted().setCommands();
    return request.send();
  }
  // The lane that a call answered with.
  kj::Own<Lane> open(rpc::Lane::Client capability) {
    return kj::heap<Lane>(streamOf(kj::mv(capability), io.unixEventPort).wait(scope), timer);
  }
  static rpc::AgentControl::Client agentOf(Lane& lane) {
    return lane.bootstrap().castAs<rpc::AgentControl>();
  }

  auto create(kj::StringPtr name) {
    auto request = supervisor().createRequest();
    request.initSpec().setName(name);
    return request.send();
  }
};

}  // namespace bothy
