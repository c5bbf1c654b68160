#include "rpc/gate-facet.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"

namespace bothy {
namespace {

class GateFacet final: public rpc::AgentGate::Server {
public:
  GateFacet(const GateKey& key, rpc::Agent::Client agent,
            kj::Own<kj::PromiseFulfiller<GateVerdict>> verdict)
      : key(key), agent(kj::mv(agent)), verdict(kj::mv(verdict)) {}

  kj::Promise<void> hello(HelloContext context) override {
    KJ_REQUIRE(!asked, "hello was said before on this connection");
    asked = true;

    auto params = context.getParams();
    auto outcome = context.getResults().initOutcome();
    // The secret first: who does not know it learns nothing, not even a generation.
    if (!key.isOpenedBy(params.getSecret())) {
      outcome.setWrongSecret();
      verdict->fulfill(GateVerdict::REFUSED);
    } else if (params.getGeneration() < rpc::OLDEST_GENERATION) {
      outcome.setGenerationTooOld(rpc::OLDEST_GENERATION);
      verdict->fulfill(GateVerdict::REFUSED);
    } else {
      auto welcome = outcome.initWelcome();
      welcome.setAgent(agent);
      welcome.setGeneration(kj::min(params.getGeneration(), uint16_t(rpc::GENERATION)));
      verdict->fulfill(GateVerdict::WELCOME);
    }
    return kj::READY_NOW;
  }

private:
  const GateKey& key;
  rpc::Agent::Client agent;
  kj::Own<kj::PromiseFulfiller<GateVerdict>> verdict;
  bool asked = false;
};

}  // namespace

bool GateKey::isOpenedBy(kj::ArrayPtr<const kj::byte> offered) const {
  if (secret.size() == 0 || offered.size() != secret.size()) {
    return false;
  }
  kj::byte difference = 0;
  for (auto i : kj::indices(offered)) {
    difference |= offered[i] ^ secret[i];
  }
  // Read through volatile, so that no compiler stops at the first difference.
  volatile kj::byte result = difference;
  return result == 0;
}

rpc::AgentGate::Client newGateFacet(const GateKey& key, rpc::Agent::Client agent,
                                    kj::Own<kj::PromiseFulfiller<GateVerdict>> verdict) {
  return kj::heap<GateFacet>(key, kj::mv(agent), kj::mv(verdict));
}

}  // namespace bothy
