#pragma once

#include <kj/async-unix.h>

#include "client/lane-source.h"
#include "supervisor/connector.h"
#include "wire/waiters.h"

namespace bothy {

// What a lane is wanted for: a LaneRequest (supervisor.capnp) as a value.
struct WantedLane {
  rpc::LaneRequest::Which purpose;
  // Of a lane for files.  `user` outlives the value.
  kj::StringPtr user = ""_kj;
  rpc::FileAccess access = rpc::FileAccess::NONE;

  static WantedLane interactive() { return {rpc::LaneRequest::INTERACTIVE}; }
  static WantedLane viewing() { return {rpc::LaneRequest::VIEW_TERMINALS}; }
  static WantedLane commands() { return {rpc::LaneRequest::COMMANDS}; }
  static WantedLane files(kj::StringPtr user, rpc::FileAccess access) {
    return {rpc::LaneRequest::FILES, user, access};
  }

  void writeTo(rpc::LaneRequest::Builder request) const;
};

// Lanes from bothyd, each over a connection of its own, which lives as long as the lane does: bothyd ends a lane when its
// client is gone.  A lane does not need bothyd otherwise: it goes on where only that connection is lost.
class SupervisorLanes final: public LaneSource {
public:
  // All that is borrowed outlives it; `eventPort` its lanes too.  `howToWake`: what wakes a paused workspace, beside `bothy resume`.
  SupervisorLanes(Connector& connector, kj::UnixEventPort& eventPort, kj::StringPtr workspace,
                  WantedLane wanted, kj::StringPtr howToWake = nullptr)
      : connector(connector),
        eventPort(eventPort),
        workspace(workspace),
        wanted(wanted),
        howToWake(howToWake) {}

  // A paused workspace is resumed for the next lane, as it is for the first one: somebody wants it now.
  void wake();

  // One round trip.  A NoLane::reason is a failure() that says what to do.
  kj::Promise<Opened> open() override;
  NoLane refused(rpc::Refusal why) override;

private:
  kj::Promise<Opened> ask(kj::Own<SupervisorLink> link);
  kj::Promise<void> untilResumed(kj::Own<SupervisorLink> link);

  Connector& connector;
  kj::UnixEventPort& eventPort;
  const kj::StringPtr workspace;
  const WantedLane wanted;
  const kj::StringPtr howToWake;
  bool wakes = true;
  Waiters wakeWaiters;
};

}  // namespace bothy
