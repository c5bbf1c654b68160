#include "wake/wake-locks.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <kj/debug.h>

#include "wake/wake-service.h"
#include "wire/socket-stream.h"

namespace bothy {
namespace {

constexpr uid_t NOBODY = 65534;
constexpr int MOST_WAITING = 64;

kj::AutoCloseFd listenAt(kj::StringPtr path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  KJ_REQUIRE(path.size() < sizeof(address.sun_path), "a socket's path is too long", path);
  memcpy(address.sun_path, path.begin(), path.size());
  int fd;
  KJ_SYSCALL(fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  kj::AutoCloseFd listener(fd);
  unlink(path.cStr());
  KJ_SYSCALL(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), path);
  KJ_SYSCALL(chmod(path.cStr(), 0666), path);
  KJ_SYSCALL(listen(listener, MOST_WAITING));
  return listener;
}

}  // namespace

WakeLocks::WakeLocks(Programs& programs, Options optionsParam, Tell tell)
    : programs(programs),
      options(kj::mv(optionsParam)),
      tell(kj::mv(tell)),
      listener(listenAt(options.socket)),
      observer(programs.eventPort, listener, kj::UnixEventPort::FdObserver::OBSERVE_READ),
      serving(serve().eagerlyEvaluate([](kj::Exception&& e) {
        KJ_LOG(ERROR, "programs can take no wake locks any more", e.getDescription());
      })) {}

// No more is asked of the kernel: whoever holds a lock of it does not hold up the agent.
bool WakeLocks::isWanted() const {
  pollfd polled = {listener.get(), POLLIN, 0};
  return poll(&polled, 1, 0) == 1;
}

kj::Promise<void> WakeLocks::serve() {
  for (;;) {
    while (!isWanted()) co_await observer.whenBecomesReadable();
    if (programs.machineEnds) co_return;
    co_await runService();
    co_await programs.timer.afterDelay(RESTART_PAUSE);
  }
}

kj::Promise<void> WakeLocks::runService() {
  int ends[2];
  KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  kj::AutoCloseFd ours(ends[0]), theirs(ends[1]);
  KJ_SYSCALL(fcntl(ours, F_SETFL, O_NONBLOCK));
  int null;
  KJ_SYSCALL(null = open("/dev/null", O_RDWR | O_CLOEXEC));
  kj::AutoCloseFd nothing(null);
  auto arguments = kj::heapArrayBuilder<kj::String>(2);
  arguments.add(kj::str("bothy-wakes"));
  arguments.add(kj::str(WAKE_SERVICE));
  kj::Maybe<SpawnRequest::Credentials> nobody;
  if (getuid() == 0) nobody = SpawnRequest::Credentials{NOBODY, NOBODY, nullptr};
  auto outcome = co_await programs.spawner.spawn(SpawnRequest{
      .programs = kj::arr(kj::str(options.program)),
      .arguments = arguments.finish(),
      .environment = nullptr,
      .workingDirectory = kj::str("/"),
      .credentials = kj::mv(nobody),
      .standardFds = {listener.get(), theirs.get(), nothing.get()},
      .cgroupFd = nullptr,
  });
  theirs = nullptr;
  KJ_IF_MAYBE (failure, outcome.tryGet<SpawnFailure>()) {
    KJ_LOG(WARNING, "what programs take wake locks from cannot be started",
           strerror(failure->errorNumber));
    co_return;
  }
  auto process = kj::mv(outcome.get<SpawnedProcess>());
  SocketStream stream(programs.eventPort, kj::mv(ours));
  WakeSummary told, next;
  while (co_await stream.tryRead(&next, sizeof(next), sizeof(next)) == sizeof(next)) {
    next.label[WAKE_LABEL_BYTES] = '\0';
    told = next;
    tell(told);
  }
  // With it all locks are over.
  if (told.count > 0) tell(WakeSummary());
  co_await process.exit.ignoreResult();
}

}  // namespace bothy
