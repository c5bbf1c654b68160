#include "file-worker/worker-socket.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "support/few-files.h"

namespace bothy {
namespace {

TEST_CASE("S42 a packet with more than one descriptor leaves none behind") {
  auto sockets = openWorkerSocket();
  const auto before = countDescriptors();
  union {
    cmsghdr header;
    char space[CMSG_SPACE(2 * sizeof(int))];
  } control = {};
  uint64_t word = 1;
  iovec part = {&word, sizeof(word)};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = sizeof(control);
  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_RIGHTS;
  control.header.cmsg_len = CMSG_LEN(2 * sizeof(int));
  reinterpret_cast<int*>(CMSG_DATA(&control.header))[0] = 0;
  reinterpret_cast<int*>(CMSG_DATA(&control.header))[1] = 0;
  KJ_SYSCALL(sendmsg(sockets.worker, &message, 0));
  {
    auto packet = KJ_REQUIRE_NONNULL(receivePacket(sockets.agent));
    CHECK(packet.words.size() == 1);
  }
  CHECK(countDescriptors() == before);
}

TEST_CASE("S42 receipts are taken without waiting, whatever flags their counter has") {
  int raw;
  KJ_SYSCALL(raw = eventfd(0, EFD_CLOEXEC));  // waits
  kj::AutoCloseFd counter(raw);
  CHECK(takeReceipts(counter) == 0);
  const uint64_t two = 2;
  KJ_SYSCALL(write(counter, &two, sizeof(two)));
  CHECK(takeReceipts(counter) == 2);
  CHECK(takeReceipts(counter) == 0);
}

}  // namespace
}  // namespace bothy
