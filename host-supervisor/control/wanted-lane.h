#pragma once

#include <kj/one-of.h>

#include "control/client-identity.h"
#include "lane/lane-grant.h"
#include "schema/limits.capnp.h"
#include "schema/supervisor.capnp.h"

namespace bothy {

// What a client gets that asks for a lane, or why it gets none, for people.  Whoever may open bothyd's socket may do all that is offered.
// `start` names this start of bothyd: see nameOfStart().
kj::OneOf<LaneGrant, kj::StringPtr> grantFor(rpc::LaneRequest::Reader wanted, kj::StringPtr start,
                                             const ClientIdentity& client);

// The protocol generation from which on agents understand a right.
struct VerbGeneration {
  rpc::Verb verb;
  uint16_t generation;
};

// The rights that came after the oldest generation that is served.
kj::ArrayPtr<const VerbGeneration> verbsSinceTheOldest();

// The oldest generation that can express `grant`.  A right that `newer` does not name is as old as the oldest generation that is served.
uint16_t oldestGenerationFor(const LaneGrant& grant, kj::ArrayPtr<const VerbGeneration> newer);

}  // namespace bothy
