#include "control/control-server.h"

#include <capnp/rpc.capnp.h>
#include <capnp/serialize-async.h>
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
// Between two looks whether descriptors are closed.
constexpr kj::Duration CLOSE_LOOK_PAUSE = 20 * kj::MILLISECONDS;
// How long a client that is turned away may take to read why.
constexpr kj::Duration REFUSAL_LIMIT = 1 * kj::SECONDS;
// Between two lines of the log about it, or about clients that wait.
constexpr kj::Duration LOG_PAUSE = 1 * kj::SECONDS;

ClientIdentity identify(kj::AsyncIoStream& stream, uint64_t number) {
  ucred peer = {};
  uint length = sizeof(peer);
  // One that is no socket, in a test, does not tell.
  kj::runCatchingExceptions([&]() { stream.getsockopt(SOL_SOCKET, SO_PEERCRED, &peer, &length); });
  return {number, peer.pid, peer.uid, peer.gid};
}

// Where the kernel can, it tells a client that bothyd takes none; elsewhere a DescriptorFilter ends who sends one.  connect(2) copies
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
                             UidOwners& owners, Bootstrap bootstrap, uint32_t maxConnections,
                             const kj::MonotonicClock& clock, const FarCloser& closer,
                             uint64_t clientsBefore)
    : timer(timer),
      descriptors(descriptors),
      owners(owners),
      bootstrap(kj::mv(bootstrap)),
      clients(clientsBefore),
      userShare(kj::max(maxConnections / USER_SHARE, 1u)),
      clock(clock),
      closer(closer),
      free(maxConnections),
      told(timer, LOG_PAUSE),
      toldFull(timer, LOG_PAUSE),
      connections(*this) {}

ControlServer::~ControlServer() noexcept(false) {}

kj::Promise<void> ControlServer::listen(kj::ConnectionReceiver& receiver) {
  for (;;) {
    if (free == 0) {
      auto paf = kj::newPromiseAndFulfiller<void>();
      waiting = kj::mv(paf.fulfiller);
      KJ_IF_MAYBE (leftOut, toldFull.next()) {
        KJ_LOG(WARNING, "as many clients as max-connections allows; the next one waits", *leftOut);
      }
      co_await paf.promise;
    }
    while (closer.isClogged()) {
      KJ_LOG(ERROR, "too many descriptors of clients and machines cannot be closed; clients wait");
      co_await timer.afterDelay(ACCEPT_PAUSE);
    }
    auto visitor = co_await accept(receiver);
    free--;
    connections.add(admit(kj::mv(visitor)).attach(kj::defer([this]() { leave(); })));
  }
}

kj::Promise<void> ControlServer::admit(Visitor visitor) {
  auto user = visitor.identity.uid;
  // Until it is known whose the id is, it has no more than a share either.
  bool isOver = isShareUsedUp(user);
  enter(user);
  KJ_DEFER(exit(user));
  if (!isOver) {
    const auto owner = co_await owners.ownerOf(user);
    visitor.identity.owner = owner;
    visitor.stream->setOwner(owner);
    exit(user);
    isOver = isShareUsedUp(owner);
    user = owner;
    enter(user);
  }
  if (isOver) {
    co_await turnAway(kj::mv(visitor), "this user has as many connections as it may");
  } else if (closer.isClogged(user)) {
    co_await serveLater(kj::mv(visitor));
  } else {
    co_await serve(kj::mv(visitor));
  }
}

kj::Promise<void> ControlServer::serve(Visitor visitor) {
  const auto identity = visitor.identity;
  // Of root's, each is a holder by itself.
  auto holder = identity.owner == ROOT ? kj::String() : kj::str(identity.owner);
  auto connection = kj::heap<ClientConnection>(kj::mv(visitor.stream), descriptors,
                                               bootstrap(identity), timer, budget, clock, holder);
  auto ended = connection->onDisconnect().then([this, identity, &connection = *connection]() {
    KJ_IF_MAYBE (why, connection.whyCut()) {
      KJ_IF_MAYBE (leftOut, told.next()) {
        KJ_LOG(WARNING, "a client's connection is ended", *why, identity.uid, identity.owner,
               identity.pid, *leftOut);
      }
    }
  });
  return ended.attach(kj::mv(connection));
}

kj::Promise<void> ControlServer::serveLater(Visitor visitor) {
  const auto deadline = timer.now() + UNCLOSED_LIMIT;
  while (closer.isClogged(visitor.identity.owner)) {
    if (timer.now() >= deadline) {
      co_await turnAway(kj::mv(visitor), "too many descriptors of this user's cannot be closed");
      co_return;
    }
    co_await timer.afterDelay(CLOSE_LOOK_PAUSE);
  }
  co_await serve(kj::mv(visitor));
}

kj::Promise<void> ControlServer::turnAway(Visitor visitor, kj::StringPtr why) {
  KJ_IF_MAYBE (leftOut, told.next()) {
    KJ_LOG(WARNING, "a client is turned away", why, visitor.identity.uid, visitor.identity.owner,
           visitor.identity.pid, *leftOut);
  }
  auto message = kj::heap<capnp::MallocMessageBuilder>();
  auto abort = message->initRoot<capnp::rpc::Message>().initAbort();
  abort.setType(capnp::rpc::Exception::Type::OVERLOADED);
  abort.setReason(kj::str("bothyd: ", why));
  // It throws at once to a client that has closed already.
  auto written = kj::evalNow([&]() { return capnp::writeMessage(*visitor.stream, *message); });
  return written.exclusiveJoin(timer.afterDelay(REFUSAL_LIMIT))
      .catch_([](kj::Exception&&) {})
      .attach(kj::mv(message), kj::mv(visitor.stream));
}

void ControlServer::enter(uid_t user) {
  ++byUser.findOrCreate(user, [&]() { return decltype(byUser)::Entry{user, 0}; });
}

void ControlServer::exit(uid_t user) {
  auto& count = KJ_ASSERT_NONNULL(byUser.find(user));
  if (--count == 0) byUser.erase(user);
}

bool ControlServer::isShareUsedUp(uid_t user) {
  return user != ROOT && byUser.find(user).orDefault(0) >= userShare;
}

kj::Promise<ControlServer::Visitor> ControlServer::accept(kj::ConnectionReceiver& receiver) {
  // One for which there was no file to close it by is kept: to close it here may last as long as its sender likes.
  kj::Own<kj::AsyncCapabilityStream> stream;
  for (;;) {
    kj::Maybe<kj::Exception> failure;
    try {
      if (stream.get() == nullptr) stream = asCapabilityStream(co_await receiver.accept());
      const auto identity = identify(*stream, clients + 1);
      auto filter = kj::heap<DescriptorFilter>(kj::mv(stream), identity.uid);
      ++clients;
      co_return Visitor{kj::mv(filter), identity};
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

kj::AutoCloseFd listenOn(kj::StringPtr path, kj::StringPtr group, mode_t mode) {
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  KJ_REQUIRE(path.size() < sizeof(address.sun_path), "the socket's path is too long", path);
  memcpy(address.sun_path, path.cStr(), path.size() + 1);

  int raw;
  KJ_SYSCALL(raw = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  kj::AutoCloseFd fd(raw);
  if (unlink(path.cStr()) < 0 && errno != ENOENT) KJ_FAIL_SYSCALL("unlink", errno, path);
  // Never open to more than is meant, not even for a moment: the file gets the mode of the socket, and bothyd's threads keep their umask.
  KJ_SYSCALL(fchmod(fd, 0600));
  KJ_SYSCALL(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), path);
  if (group.size() > 0) {
    auto entry = getgrnam(group.cStr());
    KJ_REQUIRE(entry != nullptr, "socket-group: there is no such group", group);
    KJ_SYSCALL(chown(path.cStr(), -1, entry->gr_gid), path);
    if (mode == 0) mode = 0660;
  }
  if (mode != 0) {
    KJ_SYSCALL(chmod(path.cStr(), mode), path);
  }
  // Connections inherit it.
  refuseDescriptors(fd);
  KJ_SYSCALL(::listen(fd, SOMAXCONN));
  return fd;
}

}  // namespace bothy
