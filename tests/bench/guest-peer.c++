#include "bench/guest-peer.h"

#include <kj/debug.h>

#include "support/host-program.h"

namespace bothy {

namespace {

constexpr uint32_t PEER_PORT = 2000;  // as in vsock-peer.c

}  // namespace

GuestPeer::GuestPeer(TestWorkspace& workspace) : workspace(workspace), running(kj::READY_NOW) {
  auto request = workspace.files("root").writeRequest();
  request.setPath("/run/vsock-peer"_kj.asBytes());
  request.initOptions().setMode(0755);
  auto response = workspace.host.wait(request.send().dropPipeline(), "the peer's file");
  KJ_REQUIRE(response.getOutcome().isDone(), response.getOutcome());
  auto sink = response.getSink();
  auto program = hostOutput({"/bin/cat"_kj, BOTHY_VSOCK_PEER ""_kj});
  auto write = sink.writeRequest();
  write.setData(program.asBytes());
  workspace.host.wait(write.send(), "the peer's bytes");
  workspace.host.wait(sink.endRequest().send().dropPipeline().ignoreResult(), "the peer's end");
  running = workspace.start({"/run/vsock-peer"_kj}, "root").ignoreResult().eagerlyEvaluate(nullptr);
  workspace.shell("until pgrep -x vsock-peer; do :; done");
}

kj::Own<kj::AsyncIoStream> GuestPeer::dial(char mode) {
  auto deadline = workspace.host.timer.now() + SupervisedHost::LIMIT;
  for (;;) {
    KJ_IF_MAYBE (stream, workspace.dial(PEER_PORT)) {
      (*stream)->write(&mode, 1).wait(workspace.host.scope);
      return kj::mv(*stream);
    }
    // Nothing tells that a guest listens but that it does.
    KJ_REQUIRE(workspace.host.timer.now() < deadline, "the peer does not listen");
    workspace.host.timer.afterDelay(20 * kj::MILLISECONDS).wait(workspace.host.scope);
  }
}

}  // namespace bothy
