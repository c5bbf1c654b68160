#pragma once

#include "lane/lane-grant.h"
#include "lane/lane.h"

namespace bothy {

// A grant with every right that `purpose` offers.
LaneGrant wholeGrant(rpc::Purpose purpose, kj::StringPtr session = "test");

// Says Hello and Grant on a new connection to an agent, and does not wait for the answer.
kj::Own<Lane> greet(kj::WaitScope& scope, kj::Timer& timer, kj::Own<kj::AsyncIoStream> stream,
                    kj::ArrayPtr<const kj::byte> secret, const LaneGrant& grant);
// The same with a generation of the caller's.
kj::Own<Lane> greet(kj::WaitScope& scope, kj::Timer& timer, kj::Own<kj::AsyncIoStream> stream,
                    kj::ArrayPtr<const kj::byte> secret, const LaneGrant& grant,
                    uint16_t generation);

}  // namespace bothy
