#include "process/loop-watcher.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/filesystem.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "process/marked-fd.h"
#include "process/text-file.h"

namespace bothy {
namespace {

constexpr kj::Duration SHORT_TICK = 5 * kj::MILLISECONDS;
// Where something is to end before the next step is due, on a machine that is busy.
constexpr kj::Duration LONG_TICK = 250 * kj::MILLISECONDS;
constexpr kj::Duration LIMIT = 20 * kj::SECONDS;
constexpr uid_t ALICE = 3001, BOB = 3002, ROOT = 0;

bool until(kj::FunctionParam<bool()> condition) {
  auto& clock = kj::systemPreciseMonotonicClock();
  for (const auto end = clock.now() + LIMIT; clock.now() < end; usleep(1000)) {
    if (condition()) return true;
  }
  return condition();
}

// A machine whose control groups and FUSE connections are files of its own.
struct WatchedWorld {
  WatchedWorld() {
    char name[] = "/tmp/bothy-test-XXXXXX";
    KJ_REQUIRE(mkdtemp(name) != nullptr);
    path = kj::str(name);
  }
  ~WatchedWorld() noexcept(false) {
    auto files = kj::newDiskFilesystem();
    files->getRoot().remove(kj::Path::parse(path.slice(1)));
  }

  kj::String path;
  LoopTouches touches;

  kj::AutoCloseFd file(kj::StringPtr name) {
    int fd;
    KJ_SYSCALL(fd = open(kj::str(path, '/', name).cStr(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                         0600));
    return kj::AutoCloseFd(fd);
  }
  kj::String text(kj::StringPtr name) { return readTextFile(kj::str(path, '/', name)); }
  bool isWritten(kj::StringPtr name) { return text(name).startsWith("1"); }

  void connect(kj::StringPtr name, uid_t owner, kj::StringPtr waiting) {
    mkdir(kj::str(path, "/fuse").cStr(), 0700);
    auto directory = kj::str(path, "/fuse/", name);
    KJ_SYSCALL(mkdir(directory.cStr(), 0700));
    file(kj::str("fuse/", name, "/abort"));
    auto counter = file(kj::str("fuse/", name, "/waiting"));
    KJ_SYSCALL(write(counter, waiting.begin(), waiting.size()));
    KJ_SYSCALL(chown(directory.cStr(), owner, owner));
  }
  bool isAborted(kj::StringPtr name) { return isWritten(kj::str("fuse/", name, "/abort")); }

  LoopWatcher::Options options(kj::Duration tick = SHORT_TICK) {
    LoopWatcher::Options result;
    result.tick = tick;
    result.fuseConnections =
        kj::AutoCloseFd(open(kj::str(path, "/fuse").cStr(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    result.allPrograms = file("all");
    result.reserve = file("reserve");
    result.log = file("log");
    return result;
  }
  bool says(kj::StringPtr words) { return strstr(text("log").cStr(), words.cStr()) != nullptr; }
};

TEST_CASE("S42 a touch that lasts ends its program, then more, and what is least harmful first") {
  if (geteuid() != 0) SKIP("needs files of others");
  WatchedWorld w;
  w.connect("40", ALICE, "1\n");
  w.connect("41", ALICE, "0\n");
  w.connect("42", BOB, "1\n");
  w.connect("43", ROOT, "1\n");
  auto files = kj::arr(w.file("group"), w.file("another"), w.file("bobs"));
  const auto mark = w.touches.add(ALICE, files[0]);
  w.touches.add(ALICE, files[1]);
  w.touches.add(BOB, files[2]);
  LoopWatcher watcher(w.touches, w.options());
  {
    Touch touch(mark);
    CHECK(until([&]() { return w.says("somebody: all programs are ended"); }));
  }
  auto log = w.text("log");
  INFO(log.cStr());
  Lines lines(log.asArray());
  for (
      auto expected :
      {"user 3001: the program is ended, and what FUSE servers of the user do not answer (1 control groups, 1 FUSE"_kj,
       "user 3001: what FUSE servers of users do not answer is aborted (0 control groups, 2 FUSE"_kj,
       "user 3001: all programs of the user are ended (2 control groups, 0 FUSE"_kj,
       "somebody: all programs are ended (3 FUSE"_kj}) {
    auto line = kj::str(KJ_REQUIRE_NONNULL(lines.next()));
    INFO(expected.cStr());
    CHECK(strstr(line.cStr(), expected.cStr()) != nullptr);
  }
  CHECK(w.isWritten("group"));
  CHECK_FALSE(w.isWritten("bobs"));
  CHECK(w.isAborted("40"));
  CHECK_FALSE(w.isAborted("41"));
  CHECK(w.isAborted("42"));
  // By the last of all.
  CHECK(w.isAborted("43"));
  CHECK(w.isWritten("all"));
}

TEST_CASE("touches that do not last are nobody's fault, however many there are") {
  WatchedWorld w;
  auto file = w.file("group");
  const auto mark = w.touches.add(ALICE, file);
  LoopWatcher watcher(w.touches, w.options());
  const auto before = watcher.looks();
  CHECK(until([&]() {
    Touch touch(mark);
    Touch within(w.touches.markOf(ALICE));
    return watcher.looks() > before + 4 * LoopWatcher::ENDS_PROGRAM;
  }));
  CHECK_FALSE(w.isWritten("group"));
  CHECK(w.text("log") == "");
}

TEST_CASE("a loop that has no processor is held up by nobody") {
  WatchedWorld w;
  auto file = w.file("group"), status = w.file("status");
  auto say = [&](kj::StringPtr text) {
    KJ_SYSCALL(ftruncate(status, 0));
    KJ_SYSCALL(write(status, text.begin(), text.size()));
  };
  say("1 (bothy) R (agent) R 0 1\n");
  auto options = w.options();
  options.loopStatus =
      kj::AutoCloseFd(open(kj::str(w.path, "/status").cStr(), O_RDONLY | O_CLOEXEC));
  const auto mark = w.touches.add(ALICE, file);
  LoopWatcher watcher(w.touches, kj::mv(options));
  Touch touch(mark);
  const auto before = watcher.looks();
  CHECK(until([&]() { return watcher.looks() > before + 4 * LoopWatcher::ENDS_PROGRAM; }));
  CHECK_FALSE(w.isWritten("group"));
  say("1 (bothy) R (agent) D 0 1\n");
  CHECK(until([&]() { return w.isWritten("group"); }));
}

TEST_CASE("R26 nobody looks while the loop touches nothing, and a touch is seen all the same") {
  WatchedWorld w;
  auto file = w.file("group");
  const auto mark = w.touches.add(ALICE, file);
  LoopWatcher watcher(w.touches, w.options());
  auto restingAt = [&]() {
    uint64_t now = watcher.looks();
    CHECK(until([&]() {
      const auto before = now;
      usleep(20 * SHORT_TICK / kj::MICROSECONDS);
      now = watcher.looks();
      return now == before;
    }));
    return now;
  };
  const auto looks = restingAt();
  usleep(100 * SHORT_TICK / kj::MICROSECONDS);
  CHECK(watcher.looks() == looks);
  {
    Touch touch(mark);
    CHECK(until([&]() { return w.isWritten("group"); }));
  }
  const auto later = restingAt();
  usleep(100 * SHORT_TICK / kj::MICROSECONDS);
  CHECK(watcher.looks() == later);
}

TEST_CASE("S42 who holds up the loop again loses all programs") {
  WatchedWorld w;
  auto first = w.file("first"), second = w.file("second");
  const auto mark = w.touches.add(ALICE, first);
  w.touches.add(ALICE, second);
  LoopWatcher watcher(w.touches, w.options(LONG_TICK));
  {
    Touch touch(mark);
    CHECK(until([&]() { return w.says("the program is ended"); }));
  }
  CHECK(w.isWritten("first"));
  CHECK_FALSE(w.isWritten("second"));
  // Of a program whose group is gone.
  w.touches.remove(mark);
  w.touches.retire(kj::mv(first));
  {
    Touch touch(mark);
    CHECK(until([&]() {
      return w.says(
          "all programs of the user, who has done so before, are ended (1 control groups");
    }));
  }
  CHECK(w.isWritten("second"));
}

TEST_CASE("a program's mark names nobody else's group when it is gone") {
  WatchedWorld w;
  auto first = w.file("first"), second = w.file("second");
  const auto mark = w.touches.add(ALICE, first);
  w.touches.remove(mark);
  w.touches.add(ALICE, second);
  Touch touch(mark);
  CHECK(w.touches.killGroupOf(w.touches.state()) == 0);
  CHECK(w.touches.killGroupsOf(BOB) == 0);
  CHECK(w.touches.killGroupsOf(ALICE) == 1);
  CHECK(w.isWritten("second"));
}

TEST_CASE("S42 what a program shares with the loop is closed in a touch, however it is dropped") {
  WatchedWorld w;
  auto touched = [&]() { return w.touches.state().number; };
  kj::AutoCloseFd plain = w.file("shared");
  const int number = plain.get();
  kj::Maybe<MarkedFd> first = MarkedFd(kj::mv(plain), w.touches.markOf(ALICE));
  MarkedFd second = kj::mv(KJ_ASSERT_NONNULL(first));
  first = nullptr;
  const auto before = touched();
  CHECK(before == 0);
  CHECK(fcntl(number, F_GETFD) >= 0);
  second = MarkedFd();
  CHECK(touched() == before + 2);
  CHECK(fcntl(number, F_GETFD) < 0);
  // Who takes it closes it himself.
  CHECK(MarkedFd(w.file("taken"), w.touches.markOf(ALICE)).take().get() >= 0);
  CHECK(touched() == before + 2);
}

TEST_CASE("S42 who holds up what everybody may is known by what lets the loop go on") {
  if (geteuid() != 0) SKIP("needs files of others");
  WatchedWorld w;
  w.connect("40", ALICE, "1\n");
  auto alices = w.file("alices"), bobs = w.file("bobs");
  w.touches.add(ALICE, alices);
  w.touches.add(BOB, bobs);
  LoopWatcher watcher(w.touches, w.options());
  {
    Touch touch(w.touches.markOfAnybody());
    CHECK(until([&]() { return w.isAborted("40"); }));
  }
  CHECK(until([&]() { return w.says("who lists a directory"); }));
  CHECK(w.isWritten("alices"));
  CHECK_FALSE(w.isWritten("bobs"));
}

TEST_CASE("S42 a directory that everybody lists costs nobody a program but at last") {
  if (geteuid() != 0) SKIP("needs files of others");
  WatchedWorld w;
  w.connect("40", ALICE, "1\n");
  w.connect("43", ROOT, "1\n");
  auto alices = w.file("alices"), roots = w.file("roots");
  w.touches.add(ALICE, alices);
  w.touches.add(ROOT, roots);
  LoopWatcher watcher(w.touches, w.options());
  {
    Touch touch(w.touches.markOfAnybody());
    CHECK(until([&]() { return w.says("all programs are ended"); }));
  }
  CHECK(w.isWritten("all"));
  CHECK_FALSE(w.isWritten("alices"));
  CHECK_FALSE(w.isWritten("roots"));
  auto log = w.text("log");
  INFO(log.cStr());
  // Of the two, root's is not aborted at first.
  CHECK(strstr(log.cStr(), "what FUSE servers of users do not answer is aborted (1 FUSE") !=
        nullptr);
}

// Writes a byte to a pipe, and then what the kernel cannot read: it waits with the pipe's lock.
[[noreturn]] void holdPipe(int pipe) {
  const long fd = syscall(SYS_userfaultfd, O_CLOEXEC);
  uffdio_api api = {};
  api.api = UFFD_API;
  const auto size = static_cast<size_t>(getpagesize());
  auto* page = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uffdio_register range = {};
  range.range.start = reinterpret_cast<uintptr_t>(page);
  range.range.len = size;
  range.mode = UFFDIO_REGISTER_MODE_MISSING;
  if (fd < 0 || ioctl(static_cast<int>(fd), UFFDIO_API, &api) < 0 || page == MAP_FAILED ||
      ioctl(static_cast<int>(fd), UFFDIO_REGISTER, &range) < 0 || write(pipe, "x", 1) != 1) {
    _exit(1);
  }
  _exit(write(pipe, page, size) < 0 ? 2 : 3);
}

TEST_CASE("S42 a program that holds a pipe in the kernel does not hold up who reads it") {
  if (geteuid() != 0) SKIP("the kernel's own faults are root's to hold");
  WatchedWorld w;
  int pipe[2], killed[2];
  KJ_SYSCALL(pipe2(pipe, O_CLOEXEC | O_NONBLOCK));
  KJ_SYSCALL(pipe2(killed, O_CLOEXEC));
  kj::AutoCloseFd readEnd(pipe[0]), writeEnd(pipe[1]), order(killed[0]), killFile(killed[1]);
  pid_t child;
  KJ_SYSCALL(child = fork());
  if (child == 0) holdPipe(writeEnd);
  writeEnd = nullptr;
  // As the kernel does for cgroup.kill.
  kj::Thread kernel([&]() {
    char word;
    if (read(order, &word, 1) == 1) kill(child, SIGKILL);
  });
  const auto mark = w.touches.add(ALICE, killFile);
  int status = 0;
  {
    auto options = w.options(LONG_TICK);
    options.loopStatus = kj::AutoCloseFd(
        open(kj::str("/proc/self/task/", gettid(), "/stat").cStr(), O_RDONLY | O_CLOEXEC));
    LoopWatcher watcher(w.touches, kj::mv(options));
    char bytes[2];
    CHECK(until([&]() {
      Touch touch(mark);
      ssize_t size = read(readEnd, bytes, sizeof(bytes));
      return size == 0 || (size < 0 && errno != EAGAIN) ||
             waitpid(child, &status, WNOHANG) == child;
    }));
  }
  killFile = nullptr;
  if (status == 0) {
    KJ_SYSCALL(kill(child, SIGKILL));
    KJ_SYSCALL(waitpid(child, &status, 0));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 1) SKIP("no faults to hold here");
  CHECK(WIFSIGNALED(status));
  CHECK(w.says("the program is ended"));
  CHECK_FALSE(w.says("all programs"));
}

}  // namespace
}  // namespace bothy
