#include "rpc/vsock-listener.h"

#include <errno.h>
#include <kj/debug.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
// After <sys/socket.h>, which it needs.
#include <linux/vm_sockets.h>

#include "schema/limits.capnp.h"
#include "wire/vsock-stream.h"

namespace bothy {
namespace {

// Connections that the kernel completes while the agent is still mounting disks.
constexpr int BACKLOG = 32;

}  // namespace

kj::AutoCloseFd listenForHost() {
  int fd;
  KJ_SYSCALL(fd = ::socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  kj::AutoCloseFd listener(fd);
  if (!enlargeVsockBuffer(listener.get())) {
    KJ_LOG(WARNING, "the vsock keeps its small buffer", strerror(errno));
  }
  struct sockaddr_vm address = {};
  address.svm_family = AF_VSOCK;
  address.svm_cid = VMADDR_CID_ANY;
  address.svm_port = rpc::AGENT_PORT;
  KJ_SYSCALL(::bind(listener.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof(address)));
  KJ_SYSCALL(::listen(listener.get(), BACKLOG));
  return listener;
}

bool HostOnly::shouldAllow(const struct sockaddr* address, kj::uint length) {
  struct sockaddr_vm peer;
  if (length < sizeof(peer) || address->sa_family != AF_VSOCK) {
    return false;
  }
  memcpy(&peer, address, sizeof(peer));
  return peer.svm_cid == rpc::HOST_CID;
}

}  // namespace bothy
