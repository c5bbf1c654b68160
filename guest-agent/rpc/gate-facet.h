#pragma once

#include <kj/async.h>

#include "schema/agent.capnp.h"

namespace bothy {

// What a connection must show before it gets anything.
class GateKey {
public:
  // Opens for nobody.
  GateKey() = default;
  explicit GateKey(kj::Array<const kj::byte> secret) : secret(kj::mv(secret)) {}

  // Takes the same time wherever the difference is.
  bool isOpenedBy(kj::ArrayPtr<const kj::byte> offered) const;

private:
  kj::Array<const kj::byte> secret;
};

// How a connection's first call went.
enum class GateVerdict { WELCOME, REFUSED };

// Serves `AgentGate` for one connection: hands out `agent` to whoever knows the secret and speaks a
// generation that is served.  Fulfils `verdict` at the first hello; a second one is refused with an
// exception, so that a connection has one guess.  `key` outlives the capability.
rpc::AgentGate::Client newGateFacet(const GateKey& key, rpc::Agent::Client agent,
                                    kj::Own<kj::PromiseFulfiller<GateVerdict>> verdict);

}  // namespace bothy
