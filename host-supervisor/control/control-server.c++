#include "control/control-server.h"

#include <errno.h>
#include <grp.h>
#include <kj/debug.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace bothy {
namespace {

// Until it is tried again to take in a client for whom there was no file.
constexpr kj::Duration ACCEPT_PAUSE = 1 * kj::SECONDS;

ClientIdentity identify(kj::AsyncIoStream& stream, uint64_t number) {
  ucred peer = {};
  uint length = sizeof(peer);
  // One that is no socket, in a test, does not tell.
  kj::runCatchingExceptions([&]() { stream.getsockopt(SOL_SOCKET, SO_PEERCRED, &peer, &length); });
  return {number, peer.pid, peer.uid, peer.gid};
}

// Where the kernel can, it tells a client that bothyd takes none; elsewhere a DescriptorFilter closes what comes.  connect(2) copies
// the option to bothyd's end of the connection, which accept(2) only hands out.
void refuseDescriptors(int listener) {
  const int no = 0;
  setsockopt(listener, SOL_SOCKET, PASS_RIGHTS, &no, sizeof(no));
}

// What KJ accepts at a Unix socket can pass descriptors.
kj::Own<kj::AsyncCapabilityStream> asCapabilityStream(kj::Own<kj::AsyncIoStream> stream) {
  auto both = dynamic_cast<kj::AsyncCapabilityStream*>(stream.get());
  KJ_REQUIRE(both != nullptr, "a client's connection is no Unix socket");
  return kj::Own<kj::AsyncCapabilityStream>(both, kj::NullDisposer::instance)
      .attach(kj::mv(stream));
}

}  // namespace

ControlServer::ControlServer(kj::Timer& timer, const DescriptorTable& descriptors,
                             Bootstrap bootstrap, uint32_t maxConnections)
    : timer(timer),
      descriptors(descriptors),
      bootstrap(kj::mv(bootstrap)),
      free(maxConnections),
      connections(*this) {}

ControlServer::~ControlServer() noexcept(false) {}

kj::Promise<void> ControlServer::listen(kj::ConnectionReceiver& receiver) {
  for (;;) {
    if (free == 0) {
      auto paf = kj::newPromiseAndFulfiller<void>();
      waiting = kj::mv(paf.fulfiller);
      KJ_LOG(WARNING, "as many clients as max-connections allows; the next one waits");
      co_await paf.promise;
    }
    auto stream = co_await accept(receiver);
    free--;
    auto client = bootstrap(identify(*stream, ++clients));
    auto connection =
        kj::heap<ClientConnection>(kj::mv(stream), descriptors, kj::mv(client), timer, budget);
    auto ended = connection->onDisconnect();
    connections.add(ended.attach(kj::mv(connection), kj::defer([this]() { leave(); })));
  }
}

kj::Promise<kj::Own<kj::AsyncCapabilityStream>> ControlServer::accept(
    kj::ConnectionReceiver& receiver) {
  for (;;) {
    kj::Maybe<kj::Exception> failure;
    try {
      co_return asCapabilityStream(co_await receiver.accept());
    } catch (...) {
      failure = kj::getCaughtExceptionAsKj();
    }
    auto& e = KJ_ASSERT_NONNULL(failure);
    if (e.getType() != kj::Exception::Type::OVERLOADED) kj::throwFatalException(kj::mv(e));
    KJ_LOG(ERROR, "a client cannot be taken in yet", e.getDescription());
    co_await timer.afterDelay(ACCEPT_PAUSE);
  }
}

void ControlServer::leave() {
  free++;
  KJ_IF_MAYBE (fulfiller, waiting) {
    (*fulfiller)->fulfill();
    waiting = nullptr;
  }
}

void ControlServer::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "a client's connection failed", exception.getDescription());
}

kj::AutoCloseFd listenOn(kj::StringPtr path, kj::StringPtr group) {
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  KJ_REQUIRE(path.size() < sizeof(address.sun_path), "the socket's path is too long", path);
  memcpy(address.sun_path, path.cStr(), path.size() + 1);

  int raw;
  KJ_SYSCALL(raw = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  kj::AutoCloseFd fd(raw);
  if (unlink(path.cStr()) < 0 && errno != ENOENT) KJ_FAIL_SYSCALL("unlink", errno, path);
  // Never open to more than is meant, not even for a moment.
  mode_t before = umask(0177);
  KJ_DEFER(umask(before));
  KJ_SYSCALL(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), path);
  if (group.size() > 0) {
    auto entry = getgrnam(group.cStr());
    KJ_REQUIRE(entry != nullptr, "socket-group: there is no such group", group);
    KJ_SYSCALL(chown(path.cStr(), -1, entry->gr_gid), path);
    KJ_SYSCALL(chmod(path.cStr(), 0660), path);
  }
  // Connections inherit it.
  refuseDescriptors(fd);
  KJ_SYSCALL(::listen(fd, SOMAXCONN));
  return fd;
}

}  // namespace bothy
