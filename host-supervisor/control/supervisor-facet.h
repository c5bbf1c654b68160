#pragma once

#include "control/event-watches.h"
#include "control/lane-opening.h"
#include "control/workspace-teller.h"
#include "doctor/examiner.h"
#include "metering/metering.h"
#include "schema/supervisor.capnp.h"
#include "secret/randomness.h"
#include "user/user-workspaces.h"
#include "workspace/workspace-manager.h"

namespace bothy {

// The bootstrap capability of a client's connection.
class SupervisorFacet final: public rpc::Supervisor::Server {
public:
  // What it serves; all of it outlives it.
  struct Rooms {
    WorkspaceManager& manager;
    EventLog& events;
    const HostAbilities& abilities;
    Examiner& examiner;
    LaneKeeper& lanes;
    EventWatches& watches;
    SessionRegistry& sessions;
    ActivityKeeper& activity;
    Metering& metering;
    UserWorkspaces& users;
    kj::StringPtr version;  // bothyd's
    kj::StringPtr start;    // its name, see nameOfStart()
    // Rights that not every agent understands that is served.
    kj::ArrayPtr<const VerbGeneration> newerVerbs = verbsSinceTheOldest();
  };
  SupervisorFacet(const Rooms& rooms, ClientIdentity client);

private:
  WorkspaceManager& manager;
  EventLog& events;
  const HostAbilities& abilities;
  Examiner& examiner;
  EventWatches& watches;
  SessionRegistry& sessionRegistry;
  ActivityKeeper& activityKeeper;
  Metering& meters;
  UserWorkspaces& userWorkspaces;
  LaneOpening opening;
  const WorkspaceTeller teller;
  kj::StringPtr programVersion;
  kj::StringPtr startName;
  const ClientIdentity client;
  // As events have him.
  const kj::String actor;

  kj::Promise<void> version(VersionContext context) override;
  kj::Promise<void> create(CreateContext context) override;
  kj::Promise<void> list(ListContext context) override;
  kj::Promise<void> get(GetContext context) override;
  kj::Promise<void> connect(ConnectContext context) override;
  kj::Promise<void> start(StartContext context) override;
  kj::Promise<void> stop(StopContext context) override;
  kj::Promise<void> delete_(DeleteContext context) override;
  kj::Promise<void> watch(WatchContext context) override;
  kj::Promise<void> resize(ResizeContext context) override;
  kj::Promise<void> doctor(DoctorContext context) override;
  kj::Promise<void> pause(PauseContext context) override;
  kj::Promise<void> resume(ResumeContext context) override;
  kj::Promise<void> whenResumed(WhenResumedContext context) override;
  kj::Promise<void> sessions(SessionsContext context) override;
  kj::Promise<void> tiers(TiersContext context) override;
  kj::Promise<void> capacity(CapacityContext context) override;
  // supervisor-setup.c++
  kj::Promise<void> setup(SetupContext context) override;
  kj::Promise<void> changeTier(ChangeTierContext context) override;
  kj::Promise<void> activity(ActivityContext context) override;
  kj::Promise<void> metering(MeteringContext context) override;
  kj::Promise<void> users(UsersContext context) override;
  kj::Promise<void> expire(ExpireContext context) override;
  kj::Promise<void> hibernate(HibernateContext context) override;
};

// Names a start of bothyd as no other is named.  Lanes outlive bothyd, and in a container each bothyd has the same pid: clients of two
// of them must not share a session.
kj::String nameOfStart(Randomness& randomness);

}  // namespace bothy
