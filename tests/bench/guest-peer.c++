#include "bench/guest-peer.h"

#include <kj/debug.h>

#include "support/host-program.h"

namespace bothy {

namespace {

constexpr uint32_t PEER_PORT = 2000;  // as in vsock-peer.c

// The device's Unix socket, as its command line has it.
kj::String udsPathOf(pid_t device) {
  auto line = hostOutput({"/bin/cat"_kj, kj::str("/proc/", device, "/cmdline")});
  for (size_t i = 0; i + 8 < line.size(); ++i) {
    if (!line.slice(i).startsWith("uds-path")) continue;
    size_t begin = i + 9;  // one of "=", NUL, follows
    size_t end = begin;
    while (end < line.size() && line[end] != 0 && line[end] != ',') ++end;
    return kj::heapString(line.slice(begin, end));
  }
  KJ_FAIL_REQUIRE("the vsock device has no uds-path", line);
}

}  // namespace

GuestPeer::GuestPeer(TestWorkspace& workspace)
    : workspace(workspace), udsPath(udsPathOf(workspace.vsockDevice())), running(kj::READY_NOW) {
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
    KJ_IF_MAYBE (stream, tryDial()) {
      (*stream)->write(&mode, 1).wait(workspace.host.scope);
      return kj::mv(*stream);
    }
    // Nothing tells that a guest listens but that it does.
    KJ_REQUIRE(workspace.host.timer.now() < deadline, "the peer does not listen");
    workspace.host.timer.afterDelay(20 * kj::MILLISECONDS).wait(workspace.host.scope);
  }
}

kj::Maybe<kj::Own<kj::AsyncIoStream>> GuestPeer::tryDial() {
  auto& scope = workspace.host.scope;
  auto address =
      workspace.host.io.provider->getNetwork().parseAddress(kj::str("unix:", udsPath)).wait(scope);
  auto stream = workspace.host.wait(address->connect(), "the vsock device");
  auto hello = kj::str("connect ", PEER_PORT, "\n");
  stream->write(hello.begin(), hello.size()).wait(scope);
  // "OK <port>\n"; the end where nobody listens.
  char byte = 0;
  while (byte != '\n') {
    auto size = workspace.host.wait(stream->tryRead(&byte, 1, 1), "the vsock device's answer");
    if (size == 0) return nullptr;
  }
  return kj::mv(stream);
}

}  // namespace bothy
