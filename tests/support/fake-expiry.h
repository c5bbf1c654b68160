#pragma once

#include "schema/supervisor.capnp.h"

namespace bothy {

// What a FakeSupervisor answers who lets a workspace expire: "demo", which may run, "idle", "busy", "damaged", and "slow", which takes long.
inline void fillExpiry(kj::StringPtr name, bool runs,
                       rpc::Supervisor::ExpireOutcome::Builder outcome) {
  if (name == "demo" && runs) {
    outcome.setBusy(rpc::WorkspaceState::RUNNING);
  } else if (name == "demo" || name == "idle") {
    auto info = outcome.initExpired();
    info.initSpec().setName(name);
    info.setState(rpc::WorkspaceState::EXPIRED);
  } else if (name == "busy") {
    outcome.setBusy(rpc::WorkspaceState::CREATING);
  } else if (name == "damaged") {
    outcome.setFailed("its row is damaged\x1b");
  } else if (name == "slow") {
    outcome.initUnderway().setState(rpc::WorkspaceState::EXPIRING);
  } else {
    outcome.setAbsent();
  }
}

}  // namespace bothy
