#include "supervisor/supervisor-lanes.h"

#include <kj/debug.h>

#include "console/failure.h"
#include "lane/lane-descriptor.h"
#include "supervisor/names.h"
#include "supervisor/outcome.h"
#include "wire/escape.h"

namespace bothy {
namespace {

using Outcome = rpc::Supervisor::ConnectOutcome;

bool isPassingState(rpc::WorkspaceState state) {
  return state == rpc::WorkspaceState::CREATING || state == rpc::WorkspaceState::STARTING ||
         state == rpc::WorkspaceState::STOPPING;
}

// What comes after a stop tells more than the stop: the workspace is stopped, or runs again after a reboot.
NoLane::Kind kindOf(Outcome::Reader outcome) {
  if (outcome.isStalled()) return NoLane::Kind::STALLED;
  if (outcome.isNotRunning() && isHalted(outcome.getNotRunning())) {
    return NoLane::Kind::PAUSED;
  }
  const bool passes = outcome.isUnreachable() ||
                      (outcome.isNotRunning() && isPassingState(outcome.getNotRunning()));
  return passes ? NoLane::Kind::PASSES : NoLane::Kind::FINAL;
}

}  // namespace

void WantedLane::writeTo(rpc::LaneRequest::Builder request) const {
  switch (purpose) {
    case rpc::LaneRequest::INTERACTIVE:
      request.setInteractive();
      return;
    case rpc::LaneRequest::COMMANDS:
      request.setCommands();
      return;
    case rpc::LaneRequest::FILES: {
      auto files = request.initFiles();
      files.setUser(user);
      files.setAccess(access);
      return;
    }
    case rpc::LaneRequest::VIEW_TERMINALS:
      request.setViewTerminals();
      return;
    case rpc::LaneRequest::NONE:
    case rpc::LaneRequest::MACHINE:
    case rpc::LaneRequest::FILES_BENEATH:
      break;
  }
  KJ_FAIL_REQUIRE("no such lane is offered", static_cast<uint16_t>(purpose));
}

kj::Promise<LaneSource::Opened> SupervisorLanes::open() {
  kj::Own<SupervisorLink> link;
  KJ_IF_MAYBE (why, kj::runCatchingExceptions([&] { link = connector.connect(); })) {
    if (!isPassingFailure(*why)) kj::throwFatalException(kj::mv(*why));
    return Opened(NoLane{NoLane::Kind::AWAY, kj::mv(*why), nullptr});
  }
  return ask(kj::mv(link)).catch_([](kj::Exception&& e) -> Opened {
    if (!isWordOfSupervisor(e)) kj::throwFatalException(kj::mv(e));
    return NoLane{NoLane::Kind::PASSES, failure(describe(e).message), nullptr};
  });
}

kj::Promise<LaneSource::Opened> SupervisorLanes::ask(kj::Own<SupervisorLink> link) {
  auto request = link->supervisor().connectRequest();
  request.setName(workspace);
  request.setWake(wakes);
  wanted.writeTo(request.initWanted());
  auto response = co_await request.send();
  auto outcome = response.getOutcome();
  const auto asker = connector.usesSession() ? Asker::SESSION : Asker::OPERATOR;
  KJ_IF_MAYBE (reason, co_await whyNotConnected(link->supervisor(), workspace, outcome, asker)) {
    NoLane none{kindOf(outcome), kj::mv(*reason), nullptr};
    if (outcome.isStalled()) none.stall = escapeGuestText(outcome.getStalled().asArray());
    if (none.kind == NoLane::Kind::PAUSED) {
      none.stall =
          kj::str(workspace, " is paused; ",
                  howToWake.size() > 0 ? kj::str(howToWake) : howToResume(workspace, asker));
      none.over = untilResumed(kj::mv(link));
    }
    co_return Opened(kj::mv(none));
  }
  wakes = false;
  auto life = response.getLane();
  auto stream = co_await streamOf(life, eventPort);
  // The Lane capability came over the link, which outlives it.
  stream = stream.attach(kj::mv(link));
  co_return Opened(kj::refcounted<WorkspaceLane>(kj::mv(stream), eventPort.getTimer(),
                                                 outcome.getConnected().getStartedNanos(),
                                                 kj::mv(life)));
}

void SupervisorLanes::wake() {
  wakes = true;
  wakeWaiters.wakeAll();
}

kj::Promise<void> SupervisorLanes::untilResumed(kj::Own<SupervisorLink> link) {
  // Since it was asked for.
  if (wakes) co_return;
  auto request = link->supervisor().whenResumedRequest();
  request.setName(workspace);
  co_await request.send().ignoreResult().exclusiveJoin(wakeWaiters.wait());
}

NoLane SupervisorLanes::refused(rpc::Refusal why) {
  const bool passes = why == rpc::Refusal::TOO_MANY_LANES || why == rpc::Refusal::UNAVAILABLE;
  return {passes ? NoLane::Kind::PASSES : NoLane::Kind::FINAL,
          describeRefusal(workspace, wanted.user, why), nullptr};
}

}  // namespace bothy
