// Lanes for clients.

#include <kj/debug.h>

#include "control/given-progress.h"
#include "control/supervisor-facet.h"
#include "control/translation.h"
#include "control/wanted-lane.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

// A lane for which `grant` was said; or the generation that the agent speaks, which is older than `oldest`.
kj::Promise<kj::OneOf<AgentLink::OpenedLane, uint16_t>> openLane(Machine& machine, LaneGrant grant,
                                                                 uint16_t oldest) {
  // No older one is served.
  if (oldest > rpc::OLDEST_GENERATION) {
    const auto spoken = co_await machine.generation();
    if (spoken < oldest) co_return spoken;
  }
  co_return co_await machine.openLane(kj::mv(grant));
}

}  // namespace

kj::Promise<void> SupervisorFacet::connect(ConnectContext context) {
  auto found = manager.find(context.getParams().getName());
  if (found == nullptr) {
    context.getResults().initOutcome().setAbsent();
    co_return;
  }
  auto& workspace = KJ_ASSERT_NONNULL(found);
  if (context.getParams().getWake() && isHalted(workspace->state())) {
    // What cannot be had wakes nobody.
    auto asked = grantFor(context.getParams().getWanted(), startName, client);
    KJ_IF_MAYBE (why, asked.tryGet<kj::StringPtr>()) {
      context.getResults().initOutcome().setUnsupported(*why);
      co_return;
    }
    auto woken = co_await workspace->wake(progressOf(context.getParams()));
    KJ_IF_MAYBE (report, woken.tryGet<kj::Own<StartReport>>()) {
      KJ_IF_MAYBE (failure, (*report)->failure) {
        context.getResults().initOutcome().setUnreachable(
            kj::str("it is paused and could not be resumed: ", failure->message));
        co_return;
      }
    }
  }
  if (workspace->unreachable().size() > 0) {
    context.getResults().initOutcome().setUnreachable(workspace->unreachable());
    co_return;
  }
  auto running = workspace->machine();
  if (running == nullptr) {
    context.getResults().initOutcome().setNotRunning(toRpc(workspace->state()));
    co_return;
  }
  auto& machine = KJ_ASSERT_NONNULL(running);
  if (machine->isStalled()) {
    context.getResults().initOutcome().setStalled(STALL_REASON);
    co_return;
  }
  auto grant = grantFor(context.getParams().getWanted(), startName, client);
  KJ_IF_MAYBE (why, grant.tryGet<kj::StringPtr>()) {
    context.getResults().initOutcome().setUnsupported(*why);
    co_return;
  }
  // Taken before others may run.
  auto place = lanes.requireRoom(client);
  const auto oldest = oldestGenerationFor(grant.get<LaneGrant>(), newerVerbs);
  kj::Maybe<kj::OneOf<AgentLink::OpenedLane, uint16_t>> opened;
  kj::Maybe<kj::Exception> fault;
  auto halted = machine->onHalt().ignoreResult().catch_(
      [](kj::Exception&&) -> kj::Promise<void> { return kj::NEVER_DONE; });
  co_await openLane(*machine, kj::mv(grant.get<LaneGrant>()), oldest)
      .then([&opened](kj::OneOf<AgentLink::OpenedLane, uint16_t>&& lane) { opened = kj::mv(lane); },
            [&fault](kj::Exception&& e) { fault = kj::mv(e); })
      .exclusiveJoin(kj::mv(halted));
  if (machine->isPaused()) {
    context.getResults().initOutcome().setNotRunning(toRpc(workspace->state()));
    co_return;
  }
  const bool isNeither = opened == nullptr && fault == nullptr;
  if (isNeither || machine->isStalled()) {
    // Since then: it answers nobody, and a lane that begins now would never hear of it.
    context.getResults().initOutcome().setStalled(STALL_REASON);
    co_return;
  }
  KJ_IF_MAYBE (e, fault) {
    // This process has no files or no memory left: that says nothing of the workspace.
    if (e->getType() == kj::Exception::Type::OVERLOADED) kj::throwFatalException(kj::mv(*e));
    const auto why = e->getDescription();
    lanes.log.noAnswer(workspace->row().name, why, client);
    context.getResults().initOutcome().setUnreachable(why);
    co_return;
  }
  auto& lane = KJ_ASSERT_NONNULL(opened);
  KJ_IF_MAYBE (generation, lane.tryGet<uint16_t>()) {
    context.getResults().initOutcome().setAgentTooOld(*generation);
    co_return;
  }
  auto results = context.getResults();
  results.setLane(lanes.keep(kj::mv(lane.get<AgentLink::OpenedLane>()), kj::mv(machine),
                             {client, kj::mv(place)}));
  describe(results.initOutcome().initConnected(), workspace->view());
}

}  // namespace bothy
