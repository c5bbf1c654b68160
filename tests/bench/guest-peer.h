#pragma once

#include <kj/async-io.h>

#include "support/test-workspace.h"

namespace bothy {

// vsock-peer, running as root in a workspace: what is left when everything of ours is taken away.
class GuestPeer final {
public:
  // Copies the program into the workspace and starts it.
  explicit GuestPeer(TestWorkspace& workspace);
  KJ_DISALLOW_COPY_AND_MOVE(GuestPeer);

  // A raw stream to it, straight to the vsock device, past bothyd; `mode` as vsock-peer.c has it.
  kj::Own<kj::AsyncIoStream> dial(char mode);

private:
  TestWorkspace& workspace;
  kj::Promise<void> running;
};

}  // namespace bothy
