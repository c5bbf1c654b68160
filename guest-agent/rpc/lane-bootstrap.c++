#include "rpc/lane-bootstrap.h"

#include <kj/debug.h>

#include "rpc/control-facet.h"

namespace bothy {
namespace {

using Verb = rpc::Verb;

// What an answer with a capability takes, for as long as the client keeps it: without being told, the RPC system takes 8 KiB.
constexpr capnp::MessageSize ONE_CAPABILITY = {4, 1};

class AgentFacet final: public rpc::Agent::Server {
public:
  AgentFacet(Facets& facets, const LaneGrant& grant)
      : facets(facets), verbs(grant.verbs), notes(kj::refcounted<LaneNotes>(facets.notes, grant)) {}

  kj::Promise<void> terminals(TerminalsContext context) override {
    rpc::Terminals::Client all = facets.terminals(notes->addRef());
    if (verbs.has(Verb::TERMINALS)) {
      context.getResults(ONE_CAPABILITY).setTerminals(kj::mv(all));
      return kj::READY_NOW;
    }
    require(Verb::VIEW_TERMINALS);
    return all.viewRequest().send().then([context](auto&& answer) mutable {
      context.getResults(ONE_CAPABILITY).setTerminals(answer.getTerminals());
    });
  }

  kj::Promise<void> processes(ProcessesContext context) override {
    require(Verb::PROGRAMS);
    context.getResults(ONE_CAPABILITY).setProcesses(facets.processes(notes->addRef()));
    return kj::READY_NOW;
  }

  kj::Promise<void> system(SystemContext context) override {
    require(Verb::MACHINE);
    context.getResults(ONE_CAPABILITY).setSystem(noteMachine(*facets.system, notes->addRef()));
    return kj::READY_NOW;
  }

private:
  Facets& facets;
  const LaneGrant::Verbs verbs;
  kj::Own<LaneNotes> notes;

  void require(Verb verb) {
    KJ_REQUIRE(verbs.has(verb), "the grant of this lane does not allow it", verb);
  }
};

}  // namespace

capnp::Capability::Client newLaneBootstrap(Facets& facets, LaneRegistry& lanes,
                                           const LaneGrant& grant) {
  KJ_REQUIRE(grant.purpose != rpc::Purpose::FILES, "such a lane is a file worker's");
  if (grant.purpose == rpc::Purpose::CONTROL) {
    auto notes = kj::refcounted<LaneNotes>(facets.notes, grant);
    return newControlFacet(noteMachine(*facets.system, kj::mv(notes)), lanes, facets.clock,
                           facets.setup, facets.sleep);
  }
  return kj::heap<AgentFacet>(facets, grant);
}

}  // namespace bothy
