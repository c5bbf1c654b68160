#include "vm/memory-export.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

#include "loop/child-process.h"

namespace bothy {
namespace {

// It enters the namespace and becomes the daemon: a mount that nobody else has goes with the process, however that ends.
constexpr kj::StringPtr UNSHARE = "/usr/bin/unshare"_kj;
constexpr kj::Duration POLL_PAUSE = 5 * kj::MILLISECONDS;
constexpr size_t MAX_SAID_BYTES = 300;

// A private file that was not there before.
kj::AutoCloseFd newFile(kj::StringPtr path) {
  if (unlink(path.cStr()) < 0 && errno != ENOENT) KJ_FAIL_SYSCALL("unlink", errno, path);
  int fd;
  KJ_SYSCALL(fd = open(path.cStr(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600),
             path);
  return kj::AutoCloseFd(fd);
}

// A path within QEMU's options: a comma ends the value.
kj::String option(kj::StringPtr path) {
  for (char c : path) KJ_REQUIRE(c != ',', "the path cannot be told to QEMU", path);
  return kj::str(path);
}

class Export final: public MemoryExport {
public:
  Export(kj::UnixEventPort& port, Subreaper& reaper, MemoryExportSpec spec)
      : timer(port.getTimer()), place(kj::mv(spec.place)) {
    auto keyFile = kj::str(place, "-key");
    {
      auto key = newFile(keyFile);
      auto text = spec.passphrase.bytes();
      kj::FdOutputStream(key.get()).write(text.begin(), text.size());
    }
    KJ_ON_SCOPE_FAILURE(removeFiles());
    newFile(place);
    int raw;
    KJ_SYSCALL(raw = memfd_create("said", MFD_CLOEXEC));
    said = kj::AutoCloseFd(raw);
    auto arguments = kj::arr(
        kj::str("--mount"), kj::str("--propagation"), kj::str("private"), kj::str("--"),
        kj::str(spec.program), kj::str("--object"),
        kj::str("secret,id=key,format=raw,file=", option(keyFile)), kj::str("--blockdev"),
        kj::str("driver=file,node-name=file,filename=", option(spec.file)), kj::str("--blockdev"),
        kj::str("driver=luks,node-name=plain,file=file,key-secret=key"), kj::str("--export"),
        kj::str("type=fuse,id=memory,node-name=plain,writable=on,mountpoint=", option(place)));
    daemon = ChildProcess::spawn(
        port, reaper,
        ChildSpec{UNSHARE, kj::mv(arguments), nullptr, said.get(), ChildSpec::Lifetime::OWNED});
  }
  ~Export() noexcept(false) { removeFiles(); }
  KJ_DISALLOW_COPY_AND_MOVE(Export);

  kj::Promise<void> untilThere() {
    auto within = kj::str("/proc/", daemon->process().identity().pid, "/root", place);
    auto there =
        untilMounted(kj::str(within)).exclusiveJoin(daemon->onExit().then([this](int status) {
          KJ_FAIL_REQUIRE("the memory's file could not be opened", status, words());
        }));
    co_await timer.timeoutAfter(MEMORY_EXPORT_LIMIT, kj::mv(there));
    unlink(kj::str(place, "-key").cStr());
    int fd;
    KJ_SYSCALL(fd = open(within.cStr(), O_RDWR | O_CLOEXEC | O_NOFOLLOW), within);
    file = kj::AutoCloseFd(fd);
    link = kj::str("/proc/self/fd/", fd);
  }

  kj::StringPtr path() override { return link; }

  kj::Promise<void> close() override {
    file = nullptr;
    daemon->process().signal(SIGTERM);
    int status = co_await timer.timeoutAfter(MEMORY_FLUSH_LIMIT, daemon->onExit());
    KJ_REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0,
               "the memory's file could not be closed", status, words());
    removeFiles();
  }

private:
  kj::Timer& timer;
  const kj::String place;
  kj::AutoCloseFd said;
  kj::Own<ChildProcess> daemon;
  kj::AutoCloseFd file;
  kj::String link;

  void removeFiles() {
    unlink(kj::str(place, "-key").cStr());
    unlink(place.cStr());
  }

  // What is mounted there has a size.
  kj::Promise<void> untilMounted(kj::String within) {
    for (;;) {
      struct stat stats;
      if (stat(within.cStr(), &stats) == 0 && stats.st_size > 0) co_return;
      co_await timer.afterDelay(POLL_PAUSE);
    }
  }

  // What the daemon has said, for people.
  kj::String words() {
    char text[MAX_SAID_BYTES];
    ssize_t size = pread(said, text, sizeof(text), 0);
    for (char& c : kj::arrayPtr(text, kj::max(size, ssize_t(0)))) {
      if (c < ' ' || c > '~') c = ' ';
    }
    return kj::heapString(text, kj::max(size, ssize_t(0)));
  }
};

}  // namespace

kj::Promise<kj::Own<MemoryExport>> exportMemory(kj::UnixEventPort& port, Subreaper& reaper,
                                                MemoryExportSpec spec) {
  auto memory = kj::heap<Export>(port, reaper, kj::mv(spec));
  co_await memory->untilThere();
  co_return kj::mv(memory);
}

}  // namespace bothy
