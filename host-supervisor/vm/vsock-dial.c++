#include "vm/vsock-dial.h"

#include <linux/vm_sockets.h>
#include <string.h>
#include <sys/socket.h>

#include <kj/debug.h>
#include <kj/io.h>

#include "vm/machine-socket.h"

namespace bothy {
namespace {

// Longest answer to "connect": "OK 4294967295\n".
constexpr size_t ANSWER_LIMIT_BYTES = 32;

[[noreturn]] void unreachable(kj::StringPtr why) {
  kj::throwFatalException(kj::Exception(kj::Exception::Type::DISCONNECTED, __FILE__, __LINE__,
                                        kj::str("the guest's vsock port does not answer: ", why)));
}

template <typename T>
kj::Promise<T> orUnreachable(kj::Promise<T> promise) {
  return promise.catch_([](kj::Exception&& e) -> T { unreachable(e.getDescription()); });
}

}  // namespace

kj::Promise<kj::Own<kj::AsyncIoStream>> dialKernelVsock(kj::LowLevelAsyncIoProvider& io,
                                                        uint32_t cid, uint32_t port) {
  int fd;
  KJ_SYSCALL(fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  kj::AutoCloseFd owned(fd);
  sockaddr_vm address;
  memset(&address, 0, sizeof(address));
  address.svm_family = AF_VSOCK;
  address.svm_cid = cid;
  address.svm_port = port;
  return orUnreachable(kj::evalNow([&]() {
    return io.wrapConnectingSocketFd(kj::mv(owned), reinterpret_cast<sockaddr*>(&address),
                                     sizeof(address));
  }));
}

kj::Promise<kj::Own<kj::AsyncIoStream>> dialVsockDevice(kj::LowLevelAsyncIoProvider& io,
                                                        kj::String path, uint32_t user,
                                                        uint32_t port) {
  auto stream =
      co_await orUnreachable(kj::evalNow([&]() { return connectToMachine(io, path, user); }));
  ucred peer;
  uint length = sizeof(peer);
  stream->getsockopt(SOL_SOCKET, SO_PEERCRED, &peer, &length);
  if (peer.uid != user) unreachable("its device does not belong to the machine");

  auto request = kj::str("CONNECT ", port, "\n");
  co_await orUnreachable(stream->write(request.begin(), request.size()));
  // One byte at a time: what follows the answer is the guest's already.
  char answer[ANSWER_LIMIT_BYTES];
  size_t size = 0;
  do {
    if (size == sizeof(answer)) unreachable("its device does not speak our language");
    size_t count = co_await orUnreachable(stream->tryRead(answer + size, 1, 1));
    if (count == 0) unreachable("refused");
  } while (answer[size++] != '\n');
  if (size < 3 || memcmp(answer, "OK ", 3) != 0) unreachable("refused");
  co_return kj::mv(stream);
}

}  // namespace bothy
