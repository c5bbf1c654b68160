#include "files/disk-flush.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/thread.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

kj::AutoCloseFd newFile() {
  char name[] = "/tmp/bothy-flush-XXXXXX";
  int fd = mkostemp(name, O_CLOEXEC);
  KJ_ASSERT(fd >= 0);
  kj::AutoCloseFd file(fd);
  KJ_SYSCALL(unlink(name));
  KJ_SYSCALL(write(fd, "x", 1));
  return file;
}

// From here on this thread makes and ends no AIO context.
void forbidContexts() {
  const sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_setup, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_destroy, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
  };
  const sock_fprog program = {kj::size(rules), const_cast<sock_filter*>(rules)};
  KJ_SYSCALL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  KJ_SYSCALL(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

struct World {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  DiskFlush disk{io.unixEventPort};
};

}  // namespace

TEST_CASE("a flush ends, and what cannot be flushed says so") {
  World w;
  auto file = newFile();
  CHECK(w.disk.flush(file).wait(w.io.waitScope) == 0);
  int ends[2];
  KJ_SYSCALL(pipe2(ends, O_CLOEXEC));
  kj::AutoCloseFd reader(ends[0]), writer(ends[1]);
  CHECK(w.disk.flush(writer).wait(w.io.waitScope) == EINVAL);
  CHECK(w.disk.flush(-1).wait(w.io.waitScope) == EBADF);
}

TEST_CASE("more flushes than may be under way wait for their turn") {
  World w;
  auto file = newFile();
  kj::Vector<kj::Promise<int>> flushes;
  for (kj::uint i = 0; i < 3 * DiskFlush::MOST_FLUSHES; ++i) flushes.add(w.disk.flush(file));
  file = nullptr;
  for (auto& flush : flushes) CHECK(flush.wait(w.io.waitScope) == 0);
}

TEST_CASE("a flush that nobody waits for does not keep others from theirs") {
  World w;
  auto file = newFile();
  for (kj::uint i = 0; i < 2 * DiskFlush::MOST_FLUSHES; ++i) {
    auto given = w.disk.flush(file);
  }
  CHECK(w.disk.flush(file).wait(w.io.waitScope) == 0);
}

// Also where all places are taken by flushes that hang: here nobody hears of their ends.
TEST_CASE("S01 flushes that nobody waits for keep no files open") {
  World w;
  auto file = newFile();
  kj::Vector<kj::Promise<int>> flushes;
  for (kj::uint i = 0; i < DiskFlush::MOST_FLUSHES; ++i) flushes.add(w.disk.flush(file));
  const auto isOpen = [](int fd) { return fcntl(fd, F_GETFD) >= 0; };
  constexpr int MANY = 4 * DiskFlush::MOST_FLUSHES;
  int before = 0, after = 0;
  for (int fd = 0; fd < MANY; ++fd) before += isOpen(fd);
  for (int i = 0; i < 100; ++i) auto given = w.disk.flush(file);
  for (int fd = 0; fd < MANY; ++fd) after += isOpen(fd);
  CHECK(after <= before + 1);
}

// Whoever makes contexts until there are no more (fs.aio-max-nr) keeps no file from being written; and none is ended, which takes the
// loop's time.
TEST_CASE("S01 flushes need no AIO context but the first") {
  int first = -1, last = -1;
  {
    kj::Thread thread([&]() {
      World w;
      auto file = newFile();
      forbidContexts();
      first = w.disk.flush(file).wait(w.io.waitScope);
      last = w.disk.flush(file).wait(w.io.waitScope);
    });
  }
  CHECK(first == 0);
  CHECK(last == 0);
}

}  // namespace bothy
