#include "control/socket-peer.h"

#include <errno.h>
#include <kj/common.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bothy {
namespace {

// Of one answer about one socket.
constexpr size_t ANSWER_BYTES = 4096;

// What a call that failed says of the peer.
SocketPeer afterFailure(int error) {
  switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EAGAIN:
    case EINTR:
      return SocketPeer::UNASKED;
    default:
      return SocketPeer::UNTELLABLE;
  }
}

SocketPeer peerIn(kj::ArrayPtr<kj::byte> answer) {
  auto header = reinterpret_cast<nlmsghdr*>(answer.begin());
  if (!NLMSG_OK(header, answer.size()) || header->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
      header->nlmsg_len < NLMSG_LENGTH(sizeof(unix_diag_msg))) {
    const bool isError = NLMSG_OK(header, answer.size()) && header->nlmsg_type == NLMSG_ERROR &&
                         header->nlmsg_len >= NLMSG_LENGTH(sizeof(nlmsgerr));
    if (!isError) return SocketPeer::UNTELLABLE;
    return afterFailure(-static_cast<nlmsgerr*>(NLMSG_DATA(header))->error);
  }
  auto left = header->nlmsg_len - NLMSG_LENGTH(sizeof(unix_diag_msg));
  auto attribute = reinterpret_cast<rtattr*>(static_cast<kj::byte*>(NLMSG_DATA(header)) +
                                             NLMSG_ALIGN(sizeof(unix_diag_msg)));
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    if (attribute->rta_type != UNIX_DIAG_PEER || RTA_PAYLOAD(attribute) < sizeof(uint32_t))
      continue;
    uint32_t inode;
    memcpy(&inode, RTA_DATA(attribute), sizeof(inode));
    return inode != 0 ? SocketPeer::OPEN : SocketPeer::CLOSED;
  }
  return SocketPeer::CLOSED;
}

}  // namespace

kj::Maybe<uint32_t> unixInode(int socket) {
  int domain = 0;
  socklen_t length = sizeof(domain);
  if (getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0 || domain != AF_UNIX) {
    return nullptr;
  }
  struct stat stats;
  KJ_SYSCALL(fstat(socket, &stats));
  return static_cast<uint32_t>(stats.st_ino);
}

SocketPeer peerOf(int socket) {
  KJ_IF_MAYBE (inode, unixInode(socket)) {
    return peerOfUnix(*inode);
  }
  return SocketPeer::UNTELLABLE;
}

SocketPeer peerOfUnix(uint32_t inode) {
  int fd = ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) return afterFailure(errno);
  kj::AutoCloseFd kernel(fd);
  struct {
    nlmsghdr header;
    unix_diag_req request;
  } question = {};
  question.header.nlmsg_len = sizeof(question);
  question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.header.nlmsg_flags = NLM_F_REQUEST;
  question.request.sdiag_family = AF_UNIX;
  question.request.udiag_states = kj::maxValue;
  question.request.udiag_ino = inode;
  question.request.udiag_show = UDIAG_SHOW_PEER;
  memset(question.request.udiag_cookie, 0xff, sizeof(question.request.udiag_cookie));
  if (send(kernel, &question, sizeof(question), 0) < 0) return afterFailure(errno);
  // The kernel has answered before send() returns.
  alignas(nlmsghdr) kj::byte answer[ANSWER_BYTES];
  auto size = recv(kernel, answer, sizeof(answer), MSG_DONTWAIT);
  if (size < 0) return afterFailure(errno);
  return peerIn(kj::arrayPtr(answer, size));
}

}  // namespace bothy
