#pragma once

#include "doctor/finding.h"
#include "doctor/host-facts.h"

namespace bothy {

// The ways on which the memory of machines, and of bothyd with its secrets, could get out of memory (S22).

// Merged pages: who can time a write learns what another machine's memory holds.
Finding checkKsm(const HostFacts& facts);
// Swap on a disk in clear.
Finding checkSwap(const HostFacts& facts);
// What becomes of memory if bothyd crashes, or a program that it started.
Finding checkCoreDumps(const HostFacts& facts);

}  // namespace bothy
