#include "process/cgroup-tree.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

#include "process/text-file.h"

namespace bothy {

namespace {

// Kept empty for the next programs.
constexpr size_t IDLE_CGROUPS = 16;
// A kernel may keep a change to itself (Linux 6.18 was seen to, once in some twenty times on a busy machine): so long
// after the last look there is another, each time after twice as long.
constexpr kj::Duration FIRST_LOOK = 100 * kj::MILLISECONDS;
constexpr kj::Duration LAST_LOOK = 60 * kj::SECONDS;

kj::AutoCloseFd openAt(int directory, kj::StringPtr name, int flags) {
  int fd;
  KJ_SYSCALL(fd = openat(directory, name.cStr(), flags | O_CLOEXEC), name);
  return kj::AutoCloseFd(fd);
}

void writeAt(int directory, kj::StringPtr name, kj::StringPtr text) {
  auto fd = openAt(directory, name, O_WRONLY);
  ssize_t n;
  KJ_SYSCALL(n = write(fd.get(), text.begin(), text.size()), name, text);
}

}  // namespace

class ProcessTrees::CgroupPool::Cgroup final {
public:
  Cgroup(kj::UnixEventPort& eventPort, int root, kj::String nameParam)
      : eventPort(eventPort), root(root), name(kj::mv(nameParam)) {
    if (mkdirat(root, name.cStr(), 0755) < 0 && errno != EEXIST) {
      KJ_FAIL_SYSCALL("mkdirat", errno, name);
    }
    directory = openAt(root, name, O_RDONLY | O_DIRECTORY);
    events = openAt(directory.get(), "cgroup.events", O_RDONLY);
  }

  // Removes the directory, if nothing is in it.
  ~Cgroup() noexcept(false) {
    observer = nullptr;
    unlinkat(root, name.cStr(), AT_REMOVEDIR);
  }

  // Reading also tells the kernel that we know: the next change is an event again.
  bool isPopulated() {
    char text[128] = {};
    KJ_SYSCALL(pread(events.get(), text, sizeof(text) - 1, 0));
    return strstr(text, "populated 1") != nullptr;
  }

  kj::Promise<void> onEmpty() {
    if (!isPopulated()) co_return;
    if (observer == nullptr) {
      observer.emplace(eventPort, events.get(), kj::UnixEventPort::FdObserver::OBSERVE_URGENT);
    }
    for (auto pause = FIRST_LOOK;; pause = kj::min(pause * 2, LAST_LOOK)) {
      auto changed = KJ_ASSERT_NONNULL(observer).whenUrgentDataAvailable();
      if (!isPopulated()) co_return;
      co_await changed.exclusiveJoin(eventPort.getTimer().afterDelay(pause));
    }
  }

  kj::Vector<pid_t> members() {
    kj::Vector<pid_t> result;
    auto fd = openAt(directory.get(), "cgroup.procs", O_RDONLY);
    kj::FdInputStream stream(fd.get());
    pid_t current = 0;
    char block[4096];
    for (size_t n; (n = stream.tryRead(block, 1, sizeof(block))) > 0;) {
      for (size_t i = 0; i < n; i++) {
        if (block[i] == '\n') {
          result.add(current);
          current = 0;
        } else {
          current = current * 10 + (block[i] - '0');
        }
      }
    }
    return result;
  }

  kj::UnixEventPort& eventPort;
  int root;
  kj::String name;
  kj::AutoCloseFd directory;
  kj::AutoCloseFd events;
  // Was killed.  Linux since 6.14 (and stable branches) compares the count of kills of the new
  // child's cgroup with that of its parent's: whoever CLONE_INTO_CGROUP puts here dies at once.
  bool spent = false;
  kj::Maybe<kj::UnixEventPort::FdObserver> observer;
};

class ProcessTrees::CgroupPool::Tree final: public ProcessTree {
public:
  Tree(CgroupPool& pool, kj::Own<Cgroup> cgroup) : pool(pool), cgroup(kj::mv(cgroup)) {}
  ~Tree() noexcept(false) override { pool.release(kj::mv(cgroup)); }

  kj::Maybe<int> cgroupFd() override { return cgroup->directory.get(); }
  void adopt(pid_t) override {}
  uint count() override { return cgroup->isPopulated() ? cgroup->members().size() : 0; }

  bool signal(int number) override {
    bool delivered = false;
    // A member that ends in between frees its number only once the reaper, which is this thread, has
    // collected it: children of the agent.  Of others the parent may be quicker: as for any kill(1).
    for (pid_t pid : cgroup->members()) {
      if (pid > 0 && ::kill(pid, number) == 0) delivered = true;
    }
    return delivered;
  }

  void kill() override {
    cgroup->spent = true;
    writeAt(cgroup->directory.get(), "cgroup.kill", "1");
  }
  kj::Promise<void> onEmpty() override { return cgroup->onEmpty(); }

private:
  CgroupPool& pool;
  kj::Own<Cgroup> cgroup;
};

ProcessTrees::CgroupPool::CgroupPool(kj::UnixEventPort& eventPort, kj::StringPtr path)
    : eventPort(eventPort),
      root(openAt(AT_FDCWD, path, O_RDONLY | O_DIRECTORY)),
      leftovers(*this) {}

ProcessTrees::CgroupPool::~CgroupPool() noexcept(false) {}

kj::Own<ProcessTree> ProcessTrees::CgroupPool::create() {
  kj::Own<Cgroup> cgroup;
  if (idle.empty()) {
    cgroup = make();
  } else {
    cgroup = kj::mv(idle.back());
    idle.removeLast();
  }
  return kj::heap<Tree>(*this, kj::mv(cgroup));
}

kj::Own<ProcessTrees::CgroupPool::Cgroup> ProcessTrees::CgroupPool::make() {
  return kj::heap<Cgroup>(eventPort, root.get(), kj::str("program-", nextNumber++));
}

void ProcessTrees::CgroupPool::release(kj::Own<Cgroup> cgroup) {
  if (cgroup->isPopulated()) {
    leftovers.add(releaseWhenEmpty(kj::mv(cgroup)));
  } else if (idle.size() < IDLE_CGROUPS && !cgroup->spent) {
    cgroup->observer = nullptr;
    idle.add(kj::mv(cgroup));
  }
}

kj::Promise<void> ProcessTrees::CgroupPool::releaseWhenEmpty(kj::Own<Cgroup> cgroup) {
  co_await cgroup->onEmpty();
  release(kj::mv(cgroup));
}

void ProcessTrees::CgroupPool::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "a cgroup is left over", exception);
}

void prepareCgroupRoot(kj::StringPtr path) {
  if (mkdir(path.cStr(), 0755) < 0 && errno != EEXIST) KJ_FAIL_SYSCALL("mkdir", errno, path);
  auto agent = kj::str(path, "/agent");
  if (mkdir(agent.cStr(), 0755) < 0 && errno != EEXIST) KJ_FAIL_SYSCALL("mkdir", errno, agent);
  auto directory = openAt(AT_FDCWD, agent, O_RDONLY | O_DIRECTORY);
  writeAt(directory.get(), "cgroup.procs", "0");
}

}  // namespace bothy
