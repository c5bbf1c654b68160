#pragma once

#include "process/client-actions.h"
#include "terminal/terminal.h"

namespace bothy {

// What whoever holds a capability of terminals may do with them.
enum class TerminalRights {
  ALL,
  VIEW,  // see Terminals.view of terminal.capnp
};

// Fails with FAILED where they are only to look.
void requireAll(TerminalRights rights);

// Of what it serves whoever may only look may call the methods of these numbers in terminal.capnp, and no other, whatever is added there.
template <typename Interface, uint16_t... VIEWING>
class TerminalServer: public Interface::Server {
public:
  explicit TerminalServer(TerminalRights rights) : rights(rights) {}

  capnp::Capability::Server::DispatchCallResult dispatchCall(
      uint64_t interfaceId, uint16_t methodId,
      capnp::CallContext<capnp::AnyPointer, capnp::AnyPointer> context) final {
    if (((methodId != VIEWING) && ...)) requireAll(rights);
    return Interface::Server::dispatchCall(interfaceId, methodId, context);
  }

protected:
  const TerminalRights rights;
};

// Serves `Terminal` to a client.  Dropping it changes nothing for the terminal.
rpc::Terminal::Client newTerminalFacet(kj::Timer& timer, kj::Own<Terminal> terminal,
                                       TerminalRights rights, kj::Own<ClientActions> actions);

void writeInfo(const Terminal& terminal, rpc::TerminalInfo::Builder builder);

}  // namespace bothy
