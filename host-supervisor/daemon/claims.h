#pragma once

#include <stdint.h>

#include <kj/io.h>
#include <kj/string.h>

namespace bothy {

// What one bothyd has for itself alone.

// Makes a directory that the users of machines may pass through to what is theirs, and may not look around in
// (0711).
void makeDirectory(kj::StringPtr path);

// Two supervisors over one state would each believe to be alone.  Throws if another has it; held until the
// result goes.
kj::AutoCloseFd lockState(kj::StringPtr stateDir);

// Where bothyds of one host keep what they tell each other by locks: a directory of root's, below one of root's, since whoever could make
// something there first could keep bothyd from starting.
constexpr kj::StringPtr CLAIMS_DIRECTORY = "/run/bothy-claims"_kj;

// A machine's user id is what all that belongs to it is known by: two supervisors that gave out the same
// would end each other's machines.  Throws if another of this host has one of the range; held until the
// result goes.  SERVICE_UIDS behind the last are claimed with them.  `directory` is made if it is missing; throws where it is not root's alone.
kj::AutoCloseFd claimUserIds(uint32_t first, uint32_t count,
                             kj::StringPtr directory = CLAIMS_DIRECTORY);

}  // namespace bothy
