#include "files/background-removal.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>

namespace bothy {
namespace {

namespace fs = std::filesystem;

struct Scratch {
  Scratch() { KJ_ASSERT(mkdtemp(path) != nullptr); }
  ~Scratch() { fs::remove_all(path); }
  kj::AutoCloseFd open() {
    int fd;
    KJ_SYSCALL(fd = ::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return kj::AutoCloseFd(fd);
  }

  char path[32] = "/tmp/bothy-removal-XXXXXX";
};

TEST_CASE("a tree goes a little at a time, and a link in it leads nowhere") {
  Scratch scratch, elsewhere;
  auto tree = kj::str(scratch.path, "/tree");
  KJ_SYSCALL(mkdir(tree.cStr(), 0700));
  for (uint i = 0; i < 3 * REMOVED_AT_A_TIME; i++) {
    std::ofstream(kj::str(tree, '/', i).cStr()) << "x";
  }
  std::ofstream(kj::str(elsewhere.path, "/precious").cStr()) << "x";
  KJ_SYSCALL(symlink(elsewhere.path, kj::str(tree, "/link").cStr()));

  kj::EventLoop loop;
  kj::WaitScope scope(loop);
  kj::TimerImpl timer(kj::origin<kj::TimePoint>());
  auto removal = removeInBackground(timer, scratch.open(), kj::str("tree"));
  uint turns = 0;
  while (!removal.poll(scope)) {
    turns++;
    timer.advanceTo(timer.now() + REMOVAL_PAUSE);
  }
  CHECK(removal.wait(scope).is<Done>());
  CHECK(turns >= 3);
  CHECK_FALSE(fs::exists(tree.cStr()));
  CHECK(fs::exists(kj::str(elsewhere.path, "/precious").cStr()));
}

TEST_CASE("what is not there to be removed is a problem, not a crash") {
  Scratch scratch;
  kj::EventLoop loop;
  kj::WaitScope scope(loop);
  kj::TimerImpl timer(kj::origin<kj::TimePoint>());
  CHECK(
      removeInBackground(timer, scratch.open(), kj::str("nothing")).wait(scope).is<FileProblem>());
}

}  // namespace
}  // namespace bothy
