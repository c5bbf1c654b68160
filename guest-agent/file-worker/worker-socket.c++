#include "file-worker/worker-socket.h"

#include <capnp/serialize.h>
#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "schema/limits.capnp.h"

namespace bothy {
namespace {

union Control {
  cmsghdr header;
  char space[CMSG_SPACE(sizeof(int))];
};

}  // namespace

WorkerSocket openWorkerSocket() {
  int ends[2];
  KJ_SYSCALL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends));
  WorkerSocket result = {kj::AutoCloseFd(ends[0]), kj::AutoCloseFd(ends[1])};
  // Or the worker sends descriptors, which the agent would have to close: that may wait for a file system of the user's.
  KJ_SYSCALL(shutdown(result.agent, SHUT_RD));
  return result;
}

int sendPacket(int socket, capnp::MessageBuilder& message, int descriptor) {
  auto words = capnp::messageToFlatArray(message);
  auto bytes = words.asBytes();
  if (bytes.size() > MAX_PACKET_BYTES) return EMSGSIZE;
  iovec part = {bytes.begin(), bytes.size()};
  msghdr packet = {};
  packet.msg_iov = &part;
  packet.msg_iovlen = 1;
  Control control = {};
  if (descriptor >= 0) {
    packet.msg_control = &control;
    packet.msg_controllen = sizeof(control);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(descriptor));
    memcpy(CMSG_DATA(&control.header), &descriptor, sizeof(descriptor));
  }
  for (;;) {
    if (sendmsg(socket, &packet, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return 0;
    if (errno != EINTR) return errno;
  }
}

kj::Maybe<Packet> receivePacket(int socket) {
  kj::byte bytes[MAX_PACKET_BYTES];
  iovec part = {bytes, sizeof(bytes)};
  Control control = {};
  msghdr packet = {};
  packet.msg_iov = &part;
  packet.msg_iovlen = 1;
  packet.msg_control = &control;
  // CMSG_SPACE() has room for two, and nobody would close the second.
  packet.msg_controllen = CMSG_LEN(sizeof(int));
  ssize_t size;
  while ((size = recvmsg(socket, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) < 0) {
    if (errno == EAGAIN) return nullptr;
    if (errno != EINTR) return Packet();
  }
  Packet result;
  auto header = CMSG_FIRSTHDR(&packet);
  if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
    int descriptor;
    memcpy(&descriptor, CMSG_DATA(header), sizeof(descriptor));
    result.descriptor = kj::AutoCloseFd(descriptor);
  }
  result.words = kj::heapArray<capnp::word>(static_cast<size_t>(size) / sizeof(capnp::word));
  memcpy(result.words.begin(), bytes, result.words.asBytes().size());
  return kj::mv(result);
}

ReportPipe openReportPipe() {
  // One page for each packet.
  constexpr int PIPE_BYTES = PIPE_REPORTS * MAX_REPORT_BYTES;
  int ends[2];
  KJ_SYSCALL(pipe2(ends, O_CLOEXEC | O_NONBLOCK | O_DIRECT));
  ReportPipe result = {kj::AutoCloseFd(ends[0]), kj::AutoCloseFd(ends[1])};
  // An agent that is not root may have used up its pages: then it has less room.
  fcntl(result.agent, F_SETPIPE_SZ, PIPE_BYTES);
  return result;
}

int sendReport(int pipe, capnp::MessageBuilder& message) {
  auto words = capnp::messageToFlatArray(message);
  auto bytes = words.asBytes();
  if (bytes.size() > MAX_REPORT_BYTES) return EMSGSIZE;
  for (;;) {
    if (write(pipe, bytes.begin(), bytes.size()) >= 0) return 0;
    if (errno != EINTR) return errno;
  }
}

kj::Maybe<kj::Array<capnp::word>> receiveReport(int pipe) {
  kj::byte bytes[MAX_REPORT_BYTES];
  ssize_t size;
  while ((size = read(pipe, bytes, sizeof(bytes))) < 0) {
    if (errno == EAGAIN) return nullptr;
    if (errno != EINTR) return kj::Array<capnp::word>();
  }
  auto words = kj::heapArray<capnp::word>(static_cast<size_t>(size) / sizeof(capnp::word));
  memcpy(words.begin(), bytes, words.asBytes().size());
  return kj::mv(words);
}

uint64_t takeReceipts(int counter) {
  uint64_t count = 0;
  iovec part = {&count, sizeof(count)};
  return preadv2(counter, &part, 1, -1, RWF_NOWAIT) == sizeof(count) ? count : 0;
}

}  // namespace bothy
