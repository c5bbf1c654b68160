#pragma once

#include <kj/refcount.h>

#include "agent/agent-link.h"
#include "vm/vm-driver.h"

namespace bothy {

// One boot of a workspace: its VM and the way to its agent.  Outlives the VM in the hands of clients; then
// every call fails with DISCONNECTED.  Dropping it leaves the VM running.
class Machine final: public kj::Refcounted {
public:
  Machine(kj::Timer& timer, kj::Own<RunningVm> vm, kj::Array<const kj::byte> secret);
  ~Machine() noexcept(false);

  // See AgentLink.
  kj::Promise<rpc::Agent::Client> agent(AgentLink::Lane lane);
  kj::Promise<void> ready();

  kj::Promise<VmEnd> onEnd() { return vm->onEnd(); }
  kj::Promise<void> destroy() { return vm->destroy(); }
  bool isStalled() { return vm->isStalled(); }

  // The workspace is done with it: breaks what clients still hold.
  void retire();

private:
  kj::Own<RunningVm> vm;
  kj::Maybe<kj::Own<AgentLink>> link;

  AgentLink& requireLink();
};

}  // namespace bothy
