#include "workspace/machine.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"

namespace bothy {

Machine::Machine(kj::Timer& timer, kj::Own<RunningVm> vmParam, kj::Array<const kj::byte> secret)
    : vm(kj::mv(vmParam)),
      link(newAgentLink(timer, kj::mv(secret), [this]() { return vm->dial(rpc::AGENT_PORT); })) {}

Machine::~Machine() noexcept(false) {}

AgentLink& Machine::requireLink() {
  KJ_IF_MAYBE (l, link) {
    return **l;
  }
  kj::throwFatalException(
      KJ_EXCEPTION(DISCONNECTED, "the workspace's machine has stopped; connect again"));
}

kj::Promise<rpc::Agent::Client> Machine::agent(AgentLink::Lane lane) {
  auto self = kj::addRef(*this);
  auto promise = requireLink().agent(lane);
  return promise.attach(kj::mv(self));
}

kj::Promise<void> Machine::ready() {
  return requireLink().ready();
}

void Machine::retire() {
  link = nullptr;
}

}  // namespace bothy
