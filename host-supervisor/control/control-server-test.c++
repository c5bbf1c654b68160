#include "control/control-server.h"

#include <errno.h>
#include <kj/debug.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

// A socket whose accept() fails so often, and then has one client.
class FailingReceiver final: public kj::ConnectionReceiver {
public:
  FailingReceiver(kj::Exception failure, int failures)
      : failure(kj::mv(failure)), failuresLeft(failures) {}

  int accepted = 0;
  kj::Own<kj::AsyncIoStream> client;

  kj::Promise<kj::Own<kj::AsyncIoStream>> accept() override {
    if (failuresLeft > 0) {
      failuresLeft--;
      return kj::cp(failure);
    }
    if (accepted++ > 0) return kj::NEVER_DONE;
    auto pipe = kj::newCapabilityPipe();
    client = kj::mv(pipe.ends[0]);
    return kj::Own<kj::AsyncIoStream>(kj::mv(pipe.ends[1]));
  }
  uint getPort() override { return 0; }

private:
  kj::Exception failure;
  int failuresLeft;
};

struct World {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  DescriptorTable descriptors;
  ControlServer server{timer, descriptors,
                       [](ClientIdentity) -> rpc::Supervisor::Client {
                         return KJ_EXCEPTION(FAILED, "nobody calls it");
                       },
                       4};
};

TEST_CASE("P41 who comes while there are no files left waits, and is served when there are") {
  World w;
  FailingReceiver receiver(KJ_EXCEPTION(OVERLOADED, "accept: Too many open files"), 3);
  auto serving = w.server.listen(receiver);
  for (int i = 0; i < 3; i++) {
    CHECK_FALSE(serving.poll(w.scope));
    CHECK(receiver.accepted == 0);
    w.timer.advanceTo(w.timer.now() + 1 * kj::SECONDS);
  }
  CHECK_FALSE(serving.poll(w.scope));
  CHECK(receiver.accepted == 2);
}

TEST_CASE("S01 a client cannot send descriptors, where the kernel can refuse them") {
  constexpr int PASS_RIGHTS = 83;
  auto path = kj::str("/tmp/bothy-control-", getpid());
  auto listener = listenOn(path, nullptr);
  KJ_DEFER(unlink(path.cStr()));
  int value;
  socklen_t length = sizeof(value);
  if (getsockopt(listener, SOL_SOCKET, PASS_RIGHTS, &value, &length) < 0) SKIP("Linux < 6.16");

  int raw;
  KJ_SYSCALL(raw = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  kj::AutoCloseFd client(raw);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path.cStr(), path.size() + 1);
  KJ_SYSCALL(connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)));
  char byte = 0;
  iovec part = {&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  auto header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &raw, sizeof(raw));
  CHECK(sendmsg(client, &message, MSG_NOSIGNAL) < 0);
  CHECK(errno == EPERM);
  // What bothyd sends to the client is its own affair.
  int accepted;
  KJ_SYSCALL(accepted = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  kj::AutoCloseFd server(accepted);
  CHECK(sendmsg(server, &message, MSG_NOSIGNAL) == 1);
}

TEST_CASE("a socket that is broken is told") {
  World w;
  FailingReceiver receiver(KJ_EXCEPTION(FAILED, "accept: Bad file descriptor"), 1);
  CHECK_THROWS_AS(w.server.listen(receiver).wait(w.scope), kj::Exception);
}

}  // namespace
}  // namespace bothy
