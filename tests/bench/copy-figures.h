#pragma once

#include "bench/figures.h"
#include "bench/guest-peer.h"

namespace bothy {

// `bothy cp` in and out, and what bothyd does meanwhile.
void measureCopies(kj::Vector<Row>& rows, TestWorkspace& workspace, GuestPeer& peer);

}  // namespace bothy
