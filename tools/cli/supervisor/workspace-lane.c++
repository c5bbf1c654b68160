#include "supervisor/workspace-lane.h"

#include <kj/debug.h>

#include "lane/lane-descriptor.h"
#include "supervisor/outcome.h"
#include "wire/escape.h"

namespace bothy {
namespace {

using Outcome = rpc::Supervisor::ConnectOutcome;

// What comes after a stop tells more than the stop: the workspace is stopped, or runs again after a reboot.
bool passes(Outcome::Reader outcome) {
  return outcome.isUnreachable() || outcome.isStalled() ||
         (outcome.isNotRunning() && (outcome.getNotRunning() == rpc::WorkspaceState::STARTING ||
                                     outcome.getNotRunning() == rpc::WorkspaceState::STOPPING));
}

kj::Promise<kj::Maybe<rpc::Refusal>> refusalIn(kj::Promise<LaneAnswer> coming) {
  auto answer = co_await coming;
  KJ_IF_MAYBE (refused, answer.tryGet<LaneRefused>()) co_return refused->why;
  co_return nullptr;
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
    case rpc::LaneRequest::NONE:
    case rpc::LaneRequest::VIEW_TERMINALS:
      break;
  }
  KJ_FAIL_REQUIRE("no such lane is offered", static_cast<uint16_t>(purpose));
}

kj::Promise<WorkspaceLane::Opened> WorkspaceLane::open(kj::Own<SupervisorLink> link,
                                                       kj::UnixEventPort& eventPort,
                                                       kj::StringPtr workspace, WantedLane wanted) {
  auto request = link->supervisor().connectRequest();
  request.setName(workspace);
  wanted.writeTo(request.initWanted());
  auto response = co_await request.send();
  auto outcome = response.getOutcome();
  KJ_IF_MAYBE (reason, co_await whyNotConnected(link->supervisor(), workspace, outcome)) {
    NoLane none{kj::mv(*reason), passes(outcome), nullptr};
    if (outcome.isStalled()) none.stalled = escapeGuestText(outcome.getStalled().asArray());
    co_return Opened(kj::mv(none));
  }
  auto stream = co_await streamOf(response.getLane(), eventPort);
  co_return Opened(kj::refcounted<WorkspaceLane>(kj::mv(link), kj::mv(stream), eventPort.getTimer(),
                                                 workspace, wanted.user,
                                                 outcome.getConnected().getStartedNanos()));
}

WorkspaceLane::WorkspaceLane(kj::Own<SupervisorLink> linkParam, kj::Own<kj::AsyncIoStream> stream,
                             kj::Timer& timer, kj::StringPtr workspace, kj::StringPtr user,
                             int64_t startedNanos)
    : workspace(workspace),
      user(kj::str(user)),
      started(startedNanos),
      link(kj::mv(linkParam)),
      lane(kj::mv(stream), timer, Lane::Use::CLIENT, kj::systemPreciseMonotonicClock()),
      refusal(refusalIn(lane.answer()).fork()) {}

WorkspaceLane::~WorkspaceLane() noexcept(false) {}

kj::Promise<kj::Maybe<NoLane>> WorkspaceLane::whyRefused() {
  KJ_IF_MAYBE (why, co_await refusal.addBranch()) {
    co_return NoLane{describeRefusal(workspace, user, *why), *why == rpc::Refusal::TOO_MANY_LANES,
                     nullptr};
  }
  co_return nullptr;
}

}  // namespace bothy
