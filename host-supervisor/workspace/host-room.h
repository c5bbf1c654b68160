#pragma once

#include "capacity/host-capacity.h"
#include "workspace/world.h"

namespace bothy {

// Whether the host's disk has too little room for anything to begin, or for what writes `moreMib` at once.  A disk that does not say how much it has within ROOM_LIMIT
// hinders nothing here: what is begun looks for itself.
kj::Promise<kj::Maybe<Shortage>> shortageOfRoom(const World& world, const HostCapacity& capacity,
                                                uint64_t moreMib = 0);

constexpr kj::Duration ROOM_LIMIT = 2 * kj::SECONDS;

}  // namespace bothy
