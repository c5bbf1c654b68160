#pragma once

#include <stdint.h>

#include <kj/string.h>

namespace bothy {

// Days of a few workspaces, virtual ones, in which people come and go, take wake locks, type and run commands, pause, stop and resume, policies
// change, pauses fail, and bothyd is killed now and then: what is never to be of the rules for idle workspaces, if it was.  The same seed gives the same days.
kj::Maybe<kj::String> liveIdleDays(uint64_t seed);

// A host of so many workspaces that all become idle at some moment of an hour: how many of them were paused, hibernated or expired more than 30 s late (P27).
size_t restingLate(uint64_t seed, size_t count);

}  // namespace bothy
