#pragma once

#include <capnp/rpc.capnp.h>

#include "schema/limits.capnp.h"
#include "wire/guard-rules.h"

namespace bothy {

// What is asked of a message of a peer by itself, whatever came before it.

// Capabilities in a message of the peer's, and steps from an answer to what is meant in it.  Both are lists that a message can make
// as long as its limit without a byte of theirs, and the RPC system keeps them whole.
constexpr kj::uint MAX_CAPABILITIES = rpc::MAX_MESSAGE_CAPABILITIES;
constexpr kj::uint MAX_TRANSFORM = 16;

// Fails unless such a peer may send it, and the RPC system can be given it.
void requireShape(capnp::rpc::Message::Reader message, GuardRules::Peer peer);

// Whether it is one of the sender's, that the other keeps from then on; and how many there are of these.
bool isGiven(capnp::rpc::CapDescriptor::Reader descriptor);
kj::uint capabilitiesOf(capnp::rpc::Payload::Reader payload);

}  // namespace bothy
