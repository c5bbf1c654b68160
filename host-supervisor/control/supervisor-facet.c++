#include "control/supervisor-facet.h"

#include <kj/debug.h>
#include <kj/encoding.h>

#include "control/activity-facet.h"
#include "control/event-watch.h"
#include "control/metering-facet.h"
#include "control/rpc-progress.h"
#include "control/sessions-facet.h"
#include "control/translation.h"
#include "control/users-facet.h"
#include "schema/limits.capnp.h"

namespace bothy {

kj::String nameOfStart(Randomness& randomness) {
  kj::byte bytes[sizeof(uint64_t)];
  randomness.fill(bytes);
  return kj::encodeHex(bytes);
}

SupervisorFacet::SupervisorFacet(const Rooms& rooms, ClientIdentity client)
    : manager(rooms.manager),
      events(rooms.events),
      abilities(rooms.abilities),
      examiner(rooms.examiner),
      watches(rooms.watches),
      sessionRegistry(rooms.sessions),
      activityKeeper(rooms.activity),
      meters(rooms.metering),
      userWorkspaces(rooms.users),
      opening(rooms.lanes, rooms.sessions, rooms.activity, rooms.newerVerbs),
      teller(rooms.abilities, rooms.activity),
      programVersion(rooms.version),
      startName(rooms.start),
      client(client),
      actor(actorOf(client)) {}

kj::Promise<void> SupervisorFacet::version(VersionContext context) {
  auto results = context.getResults();
  results.setGeneration(rpc::GENERATION);
  results.setVersion(programVersion);
  results.setAccelerator(acceleratorName(abilities));
  results.setVsock(vsockName(abilities));
  return kj::READY_NOW;
}

kj::Promise<void> SupervisorFacet::create(CreateContext context) {
  auto params = context.getParams();
  auto spec = fromRpc(params.getSpec());
  KJ_IF_MAYBE (fault, spec.tryGet<kj::String>()) {
    context.getResults().initOutcome().setInvalid(*fault);
    co_return;
  }
  WorkspaceManager::CreateRequest request;
  request.spec = kj::mv(spec.get<GivenSpec>());
  request.requestId = kj::str(params.getRequestId());
  request.start = params.getStart();
  request.actor = kj::str(actor);

  auto result = co_await manager.create(kj::mv(request), progressOf(params));
  auto outcome = context.getResults().initOutcome();
  KJ_SWITCH_ONEOF(result) {
    KJ_CASE_ONEOF(created, WorkspaceManager::Created) {
      teller.tell(outcome.initCreated(), created.workspace->view());
    }
    KJ_CASE_ONEOF(exists, WorkspaceManager::Exists) {
      teller.tell(outcome.initExists(), exists.workspace->view());
    }
    KJ_CASE_ONEOF(invalid, WorkspaceManager::Invalid) {
      outcome.setInvalid(invalid.why);
    }
    KJ_CASE_ONEOF(image, WorkspaceManager::NoSuchImage) {
      outcome.setNoSuchImage(image.name);
    }
    KJ_CASE_ONEOF(conflict, WorkspaceManager::RequestConflict) {
      outcome.setRequestConflict();
    }
    KJ_CASE_ONEOF(failure, StartReport::Failure) {
      fill(outcome.initFailed(), failure);
    }
    KJ_CASE_ONEOF(noSpace, WorkspaceManager::NoSpace) {
      outcome.setNoSpace(noSpace.why);
    }
    KJ_CASE_ONEOF(stopped, WorkspaceManager::Stopped) {
      teller.tell(outcome.initStopped(), stopped.workspace->view());
    }
    KJ_CASE_ONEOF(underway, Underway) {
      fill(outcome.initUnderway(), underway);
    }
    KJ_CASE_ONEOF(shortage, Shortage) {
      fill(outcome.initNoCapacity(), shortage);
    }
  }
}

kj::Promise<void> SupervisorFacet::list(ListContext context) {
  auto params = context.getParams();
  ListQuery query;
  query.prefix = params.getPrefix();
  query.after = params.getAfter();
  if (params.getLimit() > 0) query.limit = params.getLimit();
  for (auto state : params.getStates()) query.states |= listBit(fromRpc(state));
  auto labels = joinLabels(params.getLabels());
  KJ_IF_MAYBE (fault, labels.tryGet<LabelFault>()) KJ_FAIL_REQUIRE("list", fault->why);
  query.labels = labels.get<kj::String>();
  auto page = manager.list(query);
  auto results = context.getResults();
  auto infos = results.initWorkspaces(page.workspaces.size());
  for (auto i : kj::indices(page.workspaces)) teller.tell(infos[i], page.workspaces[i]);
  results.setNext(page.next);
  return kj::READY_NOW;
}

kj::Promise<void> SupervisorFacet::get(GetContext context) {
  auto outcome = context.getResults().initOutcome();
  KJ_IF_MAYBE (workspace, manager.view(context.getParams().getName())) {
    teller.tell(outcome.initFound(), *workspace);
  } else {
    outcome.setAbsent();
  }
  return kj::READY_NOW;
}

kj::Promise<void> SupervisorFacet::connect(ConnectContext context) {
  auto found = manager.find(context.getParams().getName());
  if (found == nullptr) {
    context.getResults().initOutcome().setAbsent();
    co_return;
  }
  auto params = context.getParams();
  auto& workspace = KJ_ASSERT_NONNULL(found);
  auto grant = grantFor(params.getWanted(), startName, client);
  LaneOpening::Granted granted;
  KJ_IF_MAYBE (why, grant.tryGet<kj::StringPtr>()) {
    granted = LaneOpening::Unsupported{*why};
  } else {
    granted = kj::mv(grant.get<LaneGrant>());
  }
  auto opened = co_await opening.open(workspace->addRef(), kj::mv(granted), client,
                                      LaneOpening::wakingOf(params, actor));
  auto results = context.getResults();
  KJ_IF_MAYBE (lane, opened.tryGet<rpc::Lane::Client>()) {
    results.setLane(kj::mv(*lane));
    teller.tell(results.initOutcome().initConnected(), workspace->view());
  } else {
    fill(results.initOutcome(), opened);
  }
}

kj::Promise<void> SupervisorFacet::start(StartContext context) {
  auto params = context.getParams();
  auto found = manager.find(params.getName());
  if (found == nullptr) {
    context.getResults().initOutcome().setAbsent();
    co_return;
  }
  auto workspace = kj::mv(KJ_ASSERT_NONNULL(found));
  auto result = co_await workspace->start(progressOf(params), actor);
  teller.tell(context.getResults().initOutcome(), workspace->view(), result);
}

kj::Promise<void> SupervisorFacet::stop(StopContext context) {
  auto params = context.getParams();
  KJ_REQUIRE(params.getGraceMillis() <= rpc::MAX_GRACE_MILLIS,
             "graceMillis must be at most 600000");
  auto found = manager.find(params.getName());
  if (found == nullptr) {
    context.getResults().initOutcome().setAbsent();
    co_return;
  }
  auto workspace = kj::mv(KJ_ASSERT_NONNULL(found));
  auto result = co_await workspace->stop(params.getGraceMillis(), actor);
  auto outcome = context.getResults().initOutcome();
  KJ_SWITCH_ONEOF(result) {
    KJ_CASE_ONEOF(kind, StopKind) {
      switch (kind) {
        case StopKind::ORDERLY:
          outcome.setStopped(rpc::Supervisor::StopKind::ORDERLY);
          break;
        case StopKind::FORCED:
          outcome.setStopped(rpc::Supervisor::StopKind::FORCED);
          break;
        case StopKind::ALREADY:
          outcome.setStopped(rpc::Supervisor::StopKind::ALREADY);
          break;
      }
    }
    KJ_CASE_ONEOF(superseded, Superseded) {
      outcome.setBusy(toRpc(workspace->state()));
    }
    KJ_CASE_ONEOF(busy, Busy) {
      outcome.setBusy(toRpc(busy.state));
    }
    KJ_CASE_ONEOF(underway, Underway) {
      fill(outcome.initUnderway(), underway);
    }
  }
}

kj::Promise<void> SupervisorFacet::delete_(DeleteContext context) {
  KJ_IF_MAYBE (workspace, manager.find(context.getParams().getName())) {
    auto result = co_await (*workspace)->erase(actor);
    auto outcome = context.getResults().initOutcome();
    KJ_IF_MAYBE (underway, result.tryGet<Underway>()) {
      fill(outcome.initUnderway(), *underway);
    } else {
      outcome.setDeleted();
    }
  } else {
    context.getResults().initOutcome().setAbsent();
  }
}

kj::Promise<void> SupervisorFacet::resize(ResizeContext context) {
  auto params = context.getParams();
  auto found = manager.find(params.getName());
  if (found == nullptr) {
    context.getResults().initOutcome().setAbsent();
    co_return;
  }
  auto workspace = kj::mv(KJ_ASSERT_NONNULL(found));
  auto result =
      co_await workspace->resize(params.getDiskMib(), manager.mostDiskMib(workspace->row()), actor);
  auto outcome = context.getResults().initOutcome();
  KJ_SWITCH_ONEOF(result) {
    KJ_CASE_ONEOF(resized, Workspace::Resized) {
      teller.tell(outcome.initResized(), workspace->view());
    }
    KJ_CASE_ONEOF(invalid, Workspace::InvalidSize) {
      outcome.setInvalid(invalid.why);
    }
    KJ_CASE_ONEOF(failure, Workspace::ResizeFailure) {
      if (failure.noSpace) {
        outcome.setNoSpace(failure.why);
      } else {
        outcome.setFailed(failure.why);
      }
    }
    KJ_CASE_ONEOF(superseded, Superseded) {
      outcome.setBusy(toRpc(workspace->state()));
    }
    KJ_CASE_ONEOF(busy, Busy) {
      outcome.setBusy(toRpc(busy.state));
    }
    KJ_CASE_ONEOF(underway, Underway) {
      fill(outcome.initUnderway(), underway);
    }
    KJ_CASE_ONEOF(shortage, Shortage) {
      fill(outcome.initNoCapacity(), shortage);
    }
  }
}

kj::Promise<void> SupervisorFacet::watch(WatchContext context) {
  auto params = context.getParams();
  KJ_REQUIRE(params.hasSink(), "watch needs a sink");
  auto place = watches.requirePlace(client);
  auto first = co_await events.first();
  auto results = context.getResults();
  results.setFirst(first);
  results.setLast(events.newest());
  results.setHandle(
      kj::heap<EventWatch>(events, watches, params.getAfter(), params.getSink(), kj::mv(place)));
}

kj::Promise<void> SupervisorFacet::doctor(DoctorContext context) {
  auto examination = co_await examiner.examine();
  auto& findings = examination->findings;
  auto list = context.getResults().initFindings(findings.size());
  for (auto i : kj::indices(findings)) fill(list[i], findings[i]);
}

kj::Promise<void> SupervisorFacet::sessions(SessionsContext context) {
  context.getResults().setSessions(kj::heap<SessionsFacet>(sessionRegistry, manager));
  return kj::READY_NOW;
}

kj::Promise<void> SupervisorFacet::metering(MeteringContext context) {
  context.getResults().setMetering(kj::heap<MeteringFacet>(meters));
  return kj::READY_NOW;
}

kj::Promise<void> SupervisorFacet::users(UsersContext context) {
  rpc::Users::Client facet = kj::heap<UsersFacet>(userWorkspaces, teller, kj::str(actor));
  context.getResults().setUsers(kj::mv(facet));
  return kj::READY_NOW;
}

kj::Promise<void> SupervisorFacet::activity(ActivityContext context) {
  context.getResults().setActivity(kj::heap<ActivityFacet>(activityKeeper, manager, client));
  return kj::READY_NOW;
}

kj::Promise<void> SupervisorFacet::tiers(TiersContext context) {
  auto tiers = manager.tiers().all();
  auto list = context.getResults().initTiers(tiers.size());
  for (auto i : kj::indices(tiers)) fill(list[i], tiers[i]);
  return kj::READY_NOW;
}

kj::Promise<void> SupervisorFacet::changeTier(ChangeTierContext context) {
  auto params = context.getParams();
  TierWish wish;
  wish.isApplied = params.getApply();
  wish.keepsDisk = params.getKeepDisk();
  const auto name = params.getName();
  auto result = co_await manager.changeTier(name, params.getTier(), wish, actor);
  auto outcome = context.getResults().initOutcome();
  auto tell = [&](rpc::TierPlan::Builder told, const TierPlan& plan) {
    fill(told, plan);
    KJ_IF_MAYBE (workspace, manager.view(name)) teller.tell(told.initWorkspace(), *workspace);
  };
  KJ_SWITCH_ONEOF(result) {
    KJ_CASE_ONEOF(plan, TierPlan) {
      tell(outcome.initPlanned(), plan);
    }
    KJ_CASE_ONEOF(changed, Workspace::TierChanged) {
      tell(outcome.initChanged(), changed.plan);
    }
    KJ_CASE_ONEOF(absent, WorkspaceManager::Absent) {
      outcome.setAbsent();
    }
    KJ_CASE_ONEOF(invalid, Workspace::InvalidTier) {
      outcome.setInvalid(invalid.why);
    }
    KJ_CASE_ONEOF(busy, Busy) {
      outcome.setBusy(toRpc(busy.state));
    }
    KJ_CASE_ONEOF(shortage, Shortage) {
      fill(outcome.initNoCapacity(), shortage);
    }
  }
}

kj::Promise<void> SupervisorFacet::capacity(CapacityContext context) {
  auto freeMib = co_await manager.freeDiskMib();
  fill(context.getResults().initCapacity(), manager.capacity(), freeMib);
}

}  // namespace bothy
