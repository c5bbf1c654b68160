#pragma once

#include "bench/figures.h"
#include "bench/guest-peer.h"

namespace bothy {

// How soon a terminal echoes, and a call is answered: alone, and an echo while a file lane of the workspace runs at full speed.
void measureEchoes(kj::Vector<Row>& rows, TestWorkspace& workspace, GuestPeer& peer);

}  // namespace bothy
