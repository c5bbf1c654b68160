#pragma once

#include <kj/array.h>

#include "doctor/finding.h"
#include "doctor/host-facts.h"
#include "doctor/machinery-checks.h"
#include "doctor/place-checks.h"

namespace bothy {

// The checks in the order in which people are told them.  What the host is:
kj::Array<Finding> examineHost(const HostFacts& facts, const ExaminedPlaces& places);
// And what machines are made with on it:
kj::Array<Finding> examineMachinery(const HostFacts& facts, const Machinery& machinery);

// Logs a line for each finding that is not good, and then fails if any refuses.
void requireFit(kj::ArrayPtr<const Finding> findings);

}  // namespace bothy
