#pragma once

#include "bench/figures.h"
#include "bench/guest-peer.h"
#include "support/test-workspace.h"

namespace bothy {

// A program that ends at once, as `bothy exec` runs it over a lane that stands, until bothy has all of its output and has had it forgotten;
// over a fork and exec in the guest.
void measureExec(kj::Vector<Row>& rows, TestWorkspace& workspace, GuestPeer& peer);

}  // namespace bothy
