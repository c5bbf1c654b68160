#pragma once

#include "schema/supervisor.capnp.h"
#include "support/supervised-host.h"

namespace bothy {

// A running workspace "deaf" whose agent reads nothing of a lane for commands until it is told (tests/vm/guests/deaf-agent).
class DeafMachine final {
public:
  // `agent`: that program.
  DeafMachine(SupervisedHost& host, kj::StringPtr agent);
  KJ_DISALLOW_COPY_AND_MOVE(DeafMachine);

  // A lane for commands, on its way to which there is no room for a byte more.
  class FullLane final {
  public:
    FullLane(DeafMachine& machine, kj::Duration lifetime);
    KJ_DISALLOW_COPY_AND_MOVE(FullLane);

    rpc::LaneEnd awaitEnd();
    // Whether a byte can be sent or received on the descriptor.
    bool isUsable();

  private:
    SupervisedHost& host;
    capnp::Response<rpc::Supervisor::ConnectResults> lane;
    kj::Promise<capnp::Response<rpc::Lane::WhenEndedResults>> ending;
    int fd;  // the capability's
  };

  // Fails the test unless there is a lane.
  capnp::Response<rpc::Supervisor::ConnectResults> connect(
      kj::Function<void(rpc::LaneRequest::Builder)> want);

  // Has the agent read what it has not; returns when it has told of the end of a lane.
  void listen();

private:
  SupervisedHost& host;
};

}  // namespace bothy
