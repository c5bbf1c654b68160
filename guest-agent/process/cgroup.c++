#include "process/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/function.h>

#include "process/group-room.h"
#include "process/process-tree.h"

namespace bothy {

namespace {

// A kernel may keep a change to itself (Linux 6.18 was seen to, once in some twenty times on a busy machine): so long
// after the last look there is another, each time after twice as long.  Who waits for hours does so to remove the group of
// what a command has left, and an agent with many of them is to sleep.
constexpr kj::Duration FIRST_LOOK = 100 * kj::MILLISECONDS;
constexpr kj::Duration LAST_LOOK = 1 * kj::HOURS;

// How far a walk goes into what the guest's root has nested.
constexpr uint MAX_DEPTH = 32;
constexpr uint MAX_NESTED = 4096;

kj::Maybe<kj::AutoCloseFd> openIn(int directory, const char* name, int flags) {
  int fd = openat(directory, name, flags | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return nullptr;
  return kj::AutoCloseFd(fd);
}

enum class Root { INCLUDED, LEFT_OUT };

// Visits a cgroup and those nested in it, the innermost first.  Each step is a Touch of its own: together they may take long, and nobody's
// fault is that.
class Walk final {
public:
  // Gets a cgroup's directory; and for a nested one that of its parent and its name there.
  using Visit = kj::Function<void(int fd, int parent, const char* name)>;
  Walk(ProgramMark mark, Visit visit) : mark(mark), visit(kj::mv(visit)) {}

  void run(int fd, Root root) {
    runWithin(fd, 0);
    if (root == Root::INCLUDED) visitOne(fd, -1, "");
  }

private:
  const ProgramMark mark;
  Visit visit;
  uint count = 0;

  void visitOne(int fd, int parent, const char* name) {
    Touch touch(mark);
    visit(fd, parent, name);
  }
  kj::Maybe<kj::AutoCloseFd> openDirectory(int parent, const char* name) {
    Touch touch(mark);
    return openIn(parent, name, O_RDONLY | O_DIRECTORY);
  }
  struct dirent* next(DIR* entries) {
    Touch touch(mark);
    return readdir(entries);
  }

  void runWithin(int fd, uint depth) {
    if (depth >= MAX_DEPTH) return;
    // Of its own, because reading moves the position.
    KJ_IF_MAYBE (listed, openDirectory(fd, ".")) {
      DIR* entries = fdopendir(listed->get());
      if (entries == nullptr) return;
      listed->release();
      KJ_DEFER(closedir(entries));
      while (auto* entry = next(entries)) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
        if (++count > MAX_NESTED) return;
        KJ_IF_MAYBE (nested, openDirectory(fd, entry->d_name)) {
          runWithin(nested->get(), depth + 1);
          visitOne(nested->get(), fd, entry->d_name);
        }
      }
    }
  }
};

// Calls `found` for each number in a file of a cgroup, one a line; false if it cannot be read.
bool readNumbers(int cgroup, const char* name, kj::FunctionParam<void(pid_t)> found) {
  KJ_IF_MAYBE (fd, openIn(cgroup, name, O_RDONLY)) {
    pid_t current = 0;
    char block[4096];
    for (;;) {
      ssize_t n = read(fd->get(), block, sizeof(block));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return n == 0;
      for (ssize_t i = 0; i < n; i++) {
        if (block[i] == '\n') {
          found(current);
          current = 0;
        } else {
          current = current * 10 + (block[i] - '0');
        }
      }
    }
  }
  return false;
}

bool writeFile(int cgroup, const char* name, kj::StringPtr text) {
  KJ_IF_MAYBE (fd, openIn(cgroup, name, O_WRONLY)) {
    return write(fd->get(), text.begin(), text.size()) == static_cast<ssize_t>(text.size());
  }
  return false;
}

// The beginning of it: some lines.
kj::String readOpen(const kj::Maybe<kj::AutoCloseFd>& file) {
  char text[256];
  KJ_IF_MAYBE (fd, file) {
    ssize_t n = pread(fd->get(), text, sizeof(text), 0);
    if (n > 0) return kj::heapString(text, n);
  }
  return kj::str();
}

kj::String readFile(int cgroup, const char* name) {
  return readOpen(openIn(cgroup, name, O_RDONLY));
}

kj::Maybe<kj::AutoCloseFd> openMarked(kj::StringPtr path, ProgramMark mark) {
  Touch touch(mark);
  return openIn(AT_FDCWD, path.cStr(), O_RDONLY | O_DIRECTORY);
}

// "cgroup.events"; empty if the cgroup is gone.  Reading also tells the kernel that we know: the next change is an
// event again.
struct Events {
  char text[128] = {};

  explicit Events(int fd) {
    if (pread(fd, text, sizeof(text) - 1, 0) < 0) text[0] = '\0';
  }
  bool has(const char* line) const { return strstr(text, line) != nullptr; }
};

}  // namespace

Cgroup::Cgroup(kj::UnixEventPort& eventPort, LoopTouches& touches, int root, kj::String nameParam)
    : name(kj::mv(nameParam)), eventPort(eventPort), touches(touches), root(root) {
  Touch touch(touches.markOfAnybody());
  KJ_SYSCALL(mkdirat(root, name.cStr(), GROUP_MODE), name);
  KJ_ON_SCOPE_FAILURE(unlinkat(root, name.cStr(), AT_REMOVEDIR));
  directory = KJ_REQUIRE_NONNULL(openIn(root, name.cStr(), O_RDONLY | O_DIRECTORY), name, errno);
  events = KJ_REQUIRE_NONNULL(openIn(fd(), "cgroup.events", O_RDONLY), name, errno);
  cpuStat = openIn(fd(), "cpu.stat", O_RDONLY);
  memoryPeak = openIn(fd(), "memory.peak", O_RDONLY);
  memoryEvents = openIn(fd(), "memory.events", O_RDONLY);
  KJ_IF_MAYBE (file, openIn(fd(), "cgroup.kill", O_WRONLY)) killFile = kj::mv(*file);
}

Cgroup::~Cgroup() noexcept(false) {
  observer = nullptr;
  touches.remove(mark);
  touches.retire(kj::mv(killFile));
  Walk(touches.markOfAnybody(), [](int, int parent, const char* nested) {
    if (parent >= 0) unlinkat(parent, nested, AT_REMOVEDIR);
  }).run(fd(), Root::LEFT_OUT);
  Touch touch(touches.markOfAnybody());
  unlinkat(root, name.cStr(), AT_REMOVEDIR);
}

ProgramMark Cgroup::markAs(uid_t user) {
  touches.remove(mark);
  mark = touches.add(user, killFile);
  return mark;
}

Cgroup::Rest Cgroup::rest() const {
  Events state(events.get());
  if (state.has("frozen 1")) return Rest::FROZEN;
  return state.has("populated 0") ? Rest::EMPTY : Rest::POPULATED;
}

bool Cgroup::isPopulated() const {
  return Events(events.get()).has("populated 1");
}

kj::Maybe<Usage> Cgroup::usage() const {
  Touch touch(touches.markOfAnybody());
  // The kernel counts processor time for each.
  KJ_IF_MAYBE (microseconds, numberAfter(readOpen(cpuStat), "usage_usec")) {
    Usage result;
    result.cpuMicros = *microseconds;
    auto peak = readOpen(memoryPeak);
    KJ_IF_MAYBE (end, peak.findFirst('\n')) {
      result.memoryPeakBytes =
          kj::heapString(peak.slice(0, *end)).tryParseAs<uint64_t>().orDefault(0);
    }
    result.outOfMemory =
        static_cast<uint32_t>(numberAfter(readOpen(memoryEvents), "oom_kill").orDefault(0));
    return result;
  }
  return nullptr;
}

kj::Promise<void> Cgroup::onEmpty() {
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

kj::Vector<pid_t> Cgroup::members() const {
  kj::Vector<pid_t> result;
  auto add = [&](pid_t pid) {
    // 0 is a process of another namespace; and root may have moved us here.
    if (pid > 0 && pid != getpid()) result.add(pid);
  };
  Walk(touches.markOfAnybody(), [&](int cgroup, int, const char*) {
    // A threaded cgroup lists no processes.
    if (!readNumbers(cgroup, "cgroup.procs", add)) readNumbers(cgroup, "cgroup.threads", add);
  }).run(fd(), Root::INCLUDED);
  return result;
}

kj::Promise<bool> Cgroup::signal(kj::Array<int> numbers) {
  if (!isPopulated()) co_return false;
  freeze();
  KJ_DEFER(thaw());
  co_await onFrozen();
  co_return signalAll(numbers, [this]() { return members(); });
}

void Cgroup::freeze() {
  if (freezes++ > 0) return;
  Touch touch(touches.markOfAnybody());
  // One that root has frozen stays so.
  isFrozenByUs = readFile(fd(), "cgroup.freeze") == "0\n" && writeFile(fd(), "cgroup.freeze", "1");
}

void Cgroup::thaw() {
  Touch touch(touches.markOfAnybody());
  if (--freezes == 0 && isFrozenByUs) writeFile(fd(), "cgroup.freeze", "0");
}

kj::Promise<void> Cgroup::onFrozen() {
  // Not `events`, whose observer may be waiting.
  auto opened = [this]() {
    Touch touch(touches.markOfAnybody());
    return openIn(fd(), "cgroup.events", O_RDONLY);
  }();
  KJ_IF_MAYBE (file, opened) {
    kj::UnixEventPort::FdObserver changes(eventPort, file->get(),
                                          kj::UnixEventPort::FdObserver::OBSERVE_URGENT);
    auto& timer = eventPort.getTimer();
    auto limit = timer.now() + FREEZE_LIMIT;
    while (timer.now() < limit) {
      auto changed = changes.whenUrgentDataAvailable();
      if (!Events(file->get()).has("frozen 0")) co_return;
      co_await changed.exclusiveJoin(timer.atTime(limit));
    }
  }
}

void Cgroup::kill() {
  if (killFile != nullptr && write(killFile, "1", 1) == 1) return;
  // Threaded, or of a kernel before 5.14.  Twice: a member may have been between fork and the first look.
  for (int i = 0; i < 2; i++) {
    for (pid_t pid : members()) ::kill(pid, SIGKILL);
  }
}

void thawWithin(kj::StringPtr path, ProgramMark mark) {
  KJ_IF_MAYBE (root, openMarked(path, mark)) {
    Walk(mark, [](int cgroup, int, const char*) {
      if (readFile(cgroup, "cgroup.freeze") == "1\n") writeFile(cgroup, "cgroup.freeze", "0");
    }).run(root->get(), Root::INCLUDED);
  }
}

kj::Maybe<uint> countProcessesWithin(kj::StringPtr path, ProgramMark mark) {
  KJ_IF_MAYBE (root, openMarked(path, mark)) {
    if (faccessat(root->get(), "cgroup.procs", F_OK, 0) < 0) return nullptr;
    uint count = 0;
    Walk(mark, [&](int cgroup, int, const char*) {
      readNumbers(cgroup, "cgroup.procs", [&](pid_t) { count++; });
    }).run(root->get(), Root::LEFT_OUT);
    return count;
  }
  return nullptr;
}

}  // namespace bothy
