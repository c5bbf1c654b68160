#include "control/control-server.h"

#include <errno.h>
#include <kj/debug.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "control/own-uids.h"
#include "support/few-files.h"
#include "support/log-record.h"

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
  OwnUids owners;
  ControlServer server{timer,
                       descriptors,
                       owners,
                       [](ClientIdentity) -> capnp::Capability::Client {
                         return KJ_EXCEPTION(FAILED, "nobody calls it");
                       },
                       4,
                       kj::systemPreciseMonotonicClock()};
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

kj::AutoCloseFd newSocket() {
  int fd;
  KJ_SYSCALL(fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return kj::AutoCloseFd(fd);
}

bool canRefuseDescriptors() {
  auto probe = newSocket();
  const int no = 0;
  return setsockopt(probe, SOL_SOCKET, PASS_RIGHTS, &no, sizeof(no)) == 0;
}

// A real bothyd's socket, and who connects to it.
struct ListeningSocket {
  const kj::String path = kj::str("/tmp/bothy-control-", getpid());
  kj::AutoCloseFd fd = listenOn(path, nullptr);
  ~ListeningSocket() { unlink(path.cStr()); }

  kj::AutoCloseFd connect() const {
    auto client = newSocket();
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, path.cStr(), path.size() + 1);
    KJ_SYSCALL(::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)));
    return client;
  }
  kj::AutoCloseFd accept() const {
    int accepted;
    KJ_SYSCALL(accepted = accept4(fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    return kj::AutoCloseFd(accepted);
  }
};

// Sends a byte with a descriptor: 0, or the errno of what keeps it.
int sendDescriptor(int socket) {
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
  memcpy(CMSG_DATA(header), &socket, sizeof(socket));
  return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? errno : 0;
}

TEST_CASE("S17 the control socket is its owner's alone whatever the umask, which stays as it is") {
  const mode_t ours = umask(0);
  KJ_DEFER(umask(ours));
  ListeningSocket socket;
  struct stat stats;
  KJ_SYSCALL(stat(socket.path.cStr(), &stats));
  CHECK((stats.st_mode & 07777) == 0600);
  CHECK(umask(0) == 0);
}

TEST_CASE("S01 a client cannot send descriptors, where the kernel can refuse them") {
  if (!canRefuseDescriptors()) SKIP("the kernel has no SO_PASSRIGHTS, as none below Linux 6.16");
  ListeningSocket listening;
  auto client = listening.connect();
  // Before bothyd has accepted it as after.
  CHECK(sendDescriptor(client) == EPERM);
  auto server = listening.accept();
  CHECK(sendDescriptor(client) == EPERM);

  // Nothing has come, and other bytes do; what bothyd sends to the client is its own affair.
  char byte = 'b';
  CHECK(recv(server, &byte, 1, 0) < 0);
  CHECK(errno == EAGAIN);
  CHECK(send(client, &byte, 1, MSG_NOSIGNAL) == 1);
  CHECK(recv(server, &byte, 1, 0) == 1);
  CHECK(sendDescriptor(server) == 0);
}

TEST_CASE("P41 a process that really has no files left takes clients in when it has some again") {
  auto io = kj::setupAsyncIo();
  kj::TimerImpl timer(kj::origin<kj::TimePoint>());
  DescriptorTable descriptors;
  kj::uint served = 0;
  OwnUids owners;
  ControlServer server(
      timer, descriptors, owners,
      [&](ClientIdentity identity) -> capnp::Capability::Client {
        ++served;
        CHECK(identity.pid == getpid());
        return KJ_EXCEPTION(FAILED, "nobody calls it");
      },
      4, kj::systemPreciseMonotonicClock());
  ListeningSocket listening;
  auto receiver = io.lowLevelProvider->wrapListenSocketFd(listening.fd);
  auto serving = server.listen(*receiver);
  auto client = listening.connect();
  LogRecord log;
  {
    FewFiles none(0);
    CHECK_THROWS_AS(newSocket(), kj::Exception);
    for (int i = 0; i < 3; i++) {
      CHECK_FALSE(serving.poll(io.waitScope));
      // It has tried once more, and waits.
      CHECK(log.lines.size() == i + 1);
      CHECK(served == 0);
      timer.advanceTo(timer.now() + 1 * kj::SECONDS);
    }
  }
  CHECK_FALSE(serving.poll(io.waitScope));
  CHECK(served == 1);
  // And so are those who come later.
  auto another = listening.connect();
  CHECK_FALSE(serving.poll(io.waitScope));
  CHECK(served == 2);
}

TEST_CASE("a socket that is broken is told") {
  World w;
  FailingReceiver receiver(KJ_EXCEPTION(FAILED, "accept: Bad file descriptor"), 1);
  CHECK_THROWS_AS(w.server.listen(receiver).wait(w.scope), kj::Exception);
}

}  // namespace
}  // namespace bothy
