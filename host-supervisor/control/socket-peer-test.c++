#include "control/socket-peer.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "support/few-files.h"

namespace bothy {
namespace {

TEST_CASE("S26 the kernel tells of a socket that was shut down whether its peer is still there") {
  int ends[2];
  KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  kj::AutoCloseFd ours(ends[0]), theirs(ends[1]);
  CHECK(peerOf(ours) == SocketPeer::OPEN);
  KJ_SYSCALL(write(theirs, "unread", 6));
  KJ_SYSCALL(shutdown(ours, SHUT_RDWR));
  CHECK(peerOf(ours) == SocketPeer::OPEN);
  theirs = nullptr;
  CHECK(peerOf(ours) == SocketPeer::CLOSED);
}

TEST_CASE("S26 whoever has no file left to ask by is not told that a peer is gone") {
  int ends[2];
  KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  kj::AutoCloseFd ours(ends[0]), theirs(ends[1]);
  {
    FewFiles none(0);
    CHECK(peerOf(ours) == SocketPeer::UNASKED);
  }
  CHECK(peerOf(ours) == SocketPeer::OPEN);
}

TEST_CASE("other descriptors have no peer") {
  int ends[2];
  KJ_SYSCALL(pipe2(ends, O_CLOEXEC));
  kj::AutoCloseFd out(ends[0]), in(ends[1]);
  CHECK(peerOf(out) == SocketPeer::UNTELLABLE);
}

}  // namespace
}  // namespace bothy
