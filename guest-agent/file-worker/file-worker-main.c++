#include "file-worker/file-worker-main.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file-worker/confinement.h"
#include "file-worker/worker-heap.h"
#include "file-worker/worker-lanes.h"
#include "wire/event-loop.h"

namespace bothy {
namespace {

constexpr kj::StringPtr NAME = "bothy-files"_kj;
constexpr kj::StringPtr OPTION = "--file-worker"_kj;
constexpr int AGENT_FD = 0, RECEIPTS_FD = 1;
constexpr mode_t UMASK = 022;

// Files that are written take two, listings and lanes some: see limits.capnp.
constexpr rlim_t OPEN_FILES = 65'536;

// What is under way at the end of the machine may take so long: flushes of files whose writers wait for the word.
constexpr kj::Duration ENDING_LIMIT = 2 * kj::SECONDS;
// And answers have so long to leave.
constexpr kj::Duration ENDING_LINGER = 50 * kj::MILLISECONDS;

kj::AutoCloseFd captureTermination() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  KJ_SYSCALL(sigprocmask(SIG_BLOCK, &signals, nullptr));
  int fd;
  KJ_SYSCALL(fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  return kj::AutoCloseFd(fd);
}

// By a descriptor, as the reaper hears of children: a flood of messages does not hold it back.
kj::Promise<void> onTermination(kj::UnixEventPort& port, int signals) {
  kj::UnixEventPort::FdObserver observer(port, signals,
                                         kj::UnixEventPort::FdObserver::OBSERVE_READ);
  co_await observer.whenBecomesReadable();
}

// What is written to standard error reaches nobody.
int takeReports() {
  int reports, nothing;
  KJ_SYSCALL(reports = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  KJ_SYSCALL(nothing = open("/dev/null", O_WRONLY | O_CLOEXEC));
  KJ_SYSCALL(dup2(nothing, STDERR_FILENO));
  close(nothing);
  return reports;
}

void setLimits() {
  // The kernel calls it after its file, which is /init.
  prctl(PR_SET_NAME, NAME.cStr());
  // Programs of the same user neither trace nor read it.  In a machine they never could: images/initramfs.
  prctl(PR_SET_DUMPABLE, 0);
  umask(UMASK);
  const rlimit noCore = {0, 0};
  setrlimit(RLIMIT_CORE, &noCore);
  rlimit files = {};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max = kj::min(files.rlim_max, OPEN_FILES);
    setrlimit(RLIMIT_NOFILE, &files);
  }
}

// The signal of the machine's end: nothing is begun any more, and what was promised is kept.
kj::Promise<void> endInOrder(Programs& programs, WorkerLanes& lanes) {
  programs.endStarts();
  if (!lanes.isServing()) co_return;
  auto done = programs.reaper.onChildless().then([&lanes]() { return lanes.onFlushed(); });
  co_await done.exclusiveJoin(programs.timer.afterDelay(ENDING_LIMIT));
  co_await programs.timer.afterDelay(ENDING_LINGER);
}

}  // namespace

bool isFileWorker(int argc, const char* const* argv) {
  return argc == 2 && kj::StringPtr(argv[1]) == OPTION;
}

kj::Array<kj::String> fileWorkerArguments() {
  return kj::arr(kj::str(NAME), kj::str(OPTION));
}

int fileWorkerMain() {
  const int reports = takeReports();
  setLimits();
  tuneHeap();
  signal(SIGPIPE, SIG_IGN);
  auto signals = captureTermination();
  Reaper::captureChildExit();
  auto io = setupEventLoop();
  Programs programs(io.unixEventPort, io.provider->getTimer(), Programs::Options{});
  WorkerLanes lanes(programs);
  confineFileWorker();
  auto ended = lanes.receive(AGENT_FD, RECEIPTS_FD, reports)
                   .then([&programs]() { return programs.reaper.onChildless(); })
                   .exclusiveJoin(onTermination(io.unixEventPort, signals).then([&]() {
                     return endInOrder(programs, lanes);
                   }));
  ended.wait(io.waitScope);
  // The kernel closes what is open; a flush that hangs holds up nobody else.
  _exit(0);
}

}  // namespace bothy
