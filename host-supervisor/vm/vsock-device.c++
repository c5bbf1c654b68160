#include "vm/vsock-device.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

#include "vm/machine-confinement.h"

namespace bothy {
namespace {

// Resolves when `path` exists; `directory` is where it appears.
kj::Promise<void> awaitFile(kj::UnixEventPort& port, kj::StringPtr directory, kj::StringPtr path) {
  int fd;
  KJ_SYSCALL(fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  kj::AutoCloseFd notifications(fd);
  KJ_SYSCALL(inotify_add_watch(fd, directory.cStr(), IN_CREATE | IN_MOVED_TO), directory);
  kj::UnixEventPort::FdObserver observer(port, fd, kj::UnixEventPort::FdObserver::OBSERVE_READ);
  while (access(path.cStr(), F_OK) < 0) {
    co_await observer.whenBecomesReadable();
    char events[4096];
    while (read(fd, events, sizeof(events)) > 0) {
    }
  }
}

// Between its bind(2) and its listen(2) a socket is there and refuses who connects.
constexpr kj::Duration LISTEN_POLL_PAUSE = 1 * kj::MILLISECONDS;

// Resolves when the process listens at the socket `path`, whose name stands in `directory`.  Connecting would tell too, and be taken
// for QEMU.
kj::Promise<void> awaitListener(kj::UnixEventPort& port, pid_t process, kj::StringPtr directory,
                                kj::StringPtr path) {
  co_await awaitFile(port, directory, path);
  while (!isListening(process, path)) co_await port.getTimer().afterDelay(LISTEN_POLL_PAUSE);
}

// The thread's name, given by the vhost-user-backend crate.
constexpr kj::StringPtr WORKER_NAME = "vring_worker"_kj;

// As long as it lives, processes of `group` make files in a directory of root's, which others only pass through.
class OpenDirectory final {
public:
  OpenDirectory(kj::StringPtr path, uint32_t group) : path(kj::str(path)) {
    int fd;
    KJ_SYSCALL(fd = open(path.cStr(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), path);
    directory = kj::AutoCloseFd(fd);
    KJ_SYSCALL(fchown(directory, 0, group), path);
    KJ_SYSCALL(fchmod(directory, 0731), path);
  }
  ~OpenDirectory() {
    if (fchown(directory, 0, 0) < 0 || fchmod(directory, 0711) < 0) {
      KJ_LOG(ERROR, "a directory of sockets stays open to vsock devices", path, strerror(errno));
    }
  }
  KJ_DISALLOW_COPY_AND_MOVE(OpenDirectory);

private:
  const kj::String path;
  kj::AutoCloseFd directory;
};

// What a guest may have sent on a connection before the device has passed it on, in bytes.  At the device's own 64 KiB a guest waits for
// the device after every second packet, each time for an interrupt.  The device takes the memory only where a client does not read.
constexpr uint32_t GUEST_CREDIT_BYTES = 512 * 1024;

}  // namespace

bool hasVsockWorker(pid_t device) {
  auto tasks = kj::str("/proc/", device, "/task");
  DIR* threads = opendir(tasks.cStr());
  // One that cannot be looked at is not taken for broken.
  auto isGone = [] { return errno == ENOENT || errno == ESRCH; };
  if (threads == nullptr) return !isGone();
  KJ_DEFER(closedir(threads));
  while (auto thread = readdir(threads)) {
    int fd = open(kj::str(tasks, "/", thread->d_name, "/comm").cStr(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 && isGone()) continue;
    if (fd < 0) return true;
    kj::AutoCloseFd owned(fd);
    char name[32];
    ssize_t size = read(fd, name, sizeof(name));
    if (size > 0 && kj::heapString(name, size - 1) == WORKER_NAME) return true;
  }
  return false;
}

bool isListening(pid_t process, kj::StringPtr path) {
  // Of the process's own network namespace: "Num RefCount Protocol Flags Type St Inode Path" (proc_pid_net(5)).
  constexpr kj::StringPtr LISTENING = " 00010000 "_kj;
  int fd = open(kj::str("/proc/", process, "/net/unix").cStr(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return true;
  auto sockets = kj::FdInputStream(kj::AutoCloseFd(fd)).readAllText();
  auto end = kj::str(" ", path, "\n");
  for (const char* line = sockets.begin(); line < sockets.end();) {
    auto next = strchr(line, '\n');
    if (next == nullptr) break;
    auto text = kj::heapString(line, ++next - line);
    if (text.endsWith(end) && strstr(text.cStr(), LISTENING.cStr()) != nullptr) return true;
    line = next;
  }
  return false;
}

kj::Promise<kj::Own<ProcessHandle>> startVsockDevice(kj::UnixEventPort& port, Subreaper& reaper,
                                                     VsockDeviceSpec spec) {
  unlink(spec.socket.cStr());
  unlink(spec.dialSocket.cStr());
  auto slash = KJ_ASSERT_NONNULL(spec.socket.findLast('/'));
  auto directory = kj::heapString(spec.socket.begin(), slash);
  OpenDirectory opened(directory, spec.group);

  auto child = ChildProcess::spawn(
      port, reaper,
      ChildSpec{spec.program,
                kj::arr(kj::str("--guest-cid=", spec.cid), kj::str("--socket=", spec.socket),
                        kj::str("--uds-path=", spec.dialSocket),
                        kj::str("--tx-buffer-size=", GUEST_CREDIT_BYTES)),
                ChildSpec::Owner{spec.user, spec.group}, nullptr, ChildSpec::Lifetime::DETACHED,
                vsockDeviceConfinement()});
  auto process = KJ_ASSERT_NONNULL(ProcessHandle::open(port, child->process().identity()));
  bool isReady = false;
  KJ_DEFER(if (!isReady) process->signal(SIGKILL));

  // It binds the socket for QEMU last.
  co_await awaitListener(port, process->identity().pid, directory, spec.socket)
      .exclusiveJoin(child->onExit().then(
          [](int status) { KJ_FAIL_REQUIRE("the vsock device ended at its start", status); }))
      .exclusiveJoin(port.getTimer().afterDelay(VSOCK_DEVICE_LIMIT).then([]() {
        kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, "the vsock device did not start in time"));
      }));
  isReady = true;
  co_return kj::mv(process);
}

}  // namespace bothy
