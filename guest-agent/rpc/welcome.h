#pragma once

#include <capnp/message.h>

#include "schema/lane.capnp.h"

namespace bothy {

// How long a Welcome may take to leave, and after a refusal the time that it has before the connection is closed.
constexpr kj::Duration WELCOME_LIMIT = 5 * kj::SECONDS;
constexpr kj::Duration REFUSAL_LINGER = 250 * kj::MILLISECONDS;

// A Welcome of a lane that is served, in `generation`.
kj::Own<capnp::MallocMessageBuilder> newWelcome(uint16_t generation);
// Of one that is not.  `oldest`: the oldest generation that is served.
kj::Own<capnp::MallocMessageBuilder> newRefusal(rpc::Refusal why, uint16_t oldest);

}  // namespace bothy
