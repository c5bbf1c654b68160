#include "supervisor/connector.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <kj/debug.h>

#include "console/failure.h"
#include "wire/rpc-connection.h"

namespace bothy {
namespace {

// Of one message from bothyd: the answer to `connect` has a lane's.
constexpr kj::uint MAX_DESCRIPTORS = 1;

class RpcLink final: public SupervisorLink {
public:
  explicit RpcLink(kj::Own<kj::AsyncCapabilityStream> stream)
      : connection(kj::mv(stream), MAX_DESCRIPTORS) {}

  rpc::Supervisor::Client supervisor() override {
    return connection.bootstrap().castAs<rpc::Supervisor>();
  }
  kj::Promise<void> onDisconnect() override { return connection.onDisconnect(); }

private:
  RpcConnection connection;
};

[[noreturn]] void failToConnect(kj::StringPtr path, int error) {
  switch (error) {
    case ENOENT:
    case ECONNREFUSED:
      kj::throwFatalException(passingFailure(
          kj::str("bothyd is not running at ", path,
                  ": start it with tools/up or `bothyd`, or name its socket with "
                  "--socket or BOTHY_SOCKET (with a session BOTHY_SESSION_SOCKET)")));
    case EACCES:
    case EPERM:
      kj::throwFatalException(failure(
          kj::str("you may not open ", path, ": become root or a member of the socket's group")));
    default:
      kj::throwFatalException(failure(kj::str("cannot connect to ", path, ": ", strerror(error))));
  }
}

}  // namespace

kj::Promise<rpc::Session::Client> SupervisorLink::session() {
  return failure("a session's token is missing: --session FILE, or BOTHY_SESSION");
}

void Connector::useSession(kj::String token) {
  KJ_UNIMPLEMENTED("this connector knows no sessions");
}

kj::Own<SupervisorLink> linkOver(kj::Own<kj::AsyncCapabilityStream> stream) {
  return kj::heap<RpcLink>(kj::mv(stream));
}

kj::Own<SupervisorLink> SocketConnector::connect() {
  struct sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) failToConnect(path, ENAMETOOLONG);
  memcpy(address.sun_path, path.begin(), path.size());

  int fd;
  KJ_SYSCALL(fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  kj::AutoCloseFd owned(fd);
  // A Unix socket connects at once, or waits for a place in the listener's backlog.
  int result;
  do {
    result = ::connect(fd, reinterpret_cast<struct sockaddr*>(&address), sizeof(address));
  } while (result < 0 && errno == EINTR);
  if (result < 0) failToConnect(path, errno);
  auto link =
      linkOver(io.wrapUnixSocketFd(kj::mv(owned), kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC));
  if (isSilenceNoted) return link;
  auto noting = noteSilence(link->supervisor()).eagerlyEvaluate([](kj::Exception&&) {});
  return link.attach(kj::mv(noting));
}

kj::Promise<void> SocketConnector::noteSilence(rpc::Supervisor::Client supervisor) {
  auto answered = supervisor.whenResolved().then([]() { return true; });
  const bool isAnswered =
      co_await answered.exclusiveJoin(timer.afterDelay(SILENCE).then([]() { return false; }));
  if (isAnswered || isSilenceNoted) co_return;
  isSilenceNoted = true;
  note(kj::str("bothyd at ", path,
               " does not answer: waiting for it (it may be busy, stopped, or have ",
               "as many clients as it takes)"));
}

}  // namespace bothy
