#pragma once

namespace bothy {

// What one lane takes of bothyd's heap, in bytes: what keeps it, and the capability of the client that holds it.  A bothyd
// has too few lanes to show it from outside, so this process is one, with many lanes to a machine that is not there.
//
// No event loop may be there.
double keeperBytesOfLane();

}  // namespace bothy
