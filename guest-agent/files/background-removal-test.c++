#include "files/background-removal.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/async-io.h>
#include <kj/debug.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "tree/test-directory.h"

namespace bothy {
namespace {

struct RemovalWorld {
  TestDirectory world;
  kj::AsyncIoContext io = [] {
    Reaper::captureChildExit();
    return kj::setupAsyncIo();
  }();
  Programs programs{io.unixEventPort, io.provider->getTimer(), Programs::Options{}};

  kj::Promise<int> remove(kj::StringPtr name) {
    int fd;
    KJ_SYSCALL(fd = open(world.path.cStr(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return removeInBackground(programs, kj::AutoCloseFd(fd), kj::str(name));
  }
};

TEST_CASE("a tree goes a little at a time, and a link in it leads nowhere") {
  RemovalWorld w;
  w.world.makeDirectory("tree");
  w.world.makeDirectory("elsewhere");
  w.world.write("elsewhere/precious", "x");
  for (uint i = 0; i < 3 * REMOVED_AT_A_TIME; i++) w.world.write(kj::str("tree/", i), "x");
  KJ_SYSCALL(symlink(w.world.at("elsewhere").cStr(), w.world.at("tree/link").cStr()));
  auto& timer = w.io.provider->getTimer();
  const auto begin = timer.now();
  CHECK(w.remove("tree").wait(w.io.waitScope) == 0);
  CHECK(timer.now() - begin >= 3 * REMOVAL_PAUSE);
  CHECK_FALSE(w.world.has("tree"));
  CHECK(w.world.has("elsewhere/precious"));
}

TEST_CASE("what is not there to be removed is a problem, not a crash") {
  RemovalWorld w;
  CHECK(w.remove("nothing").wait(w.io.waitScope) == ENOENT);
}

TEST_CASE("a removal that nobody wants any more ends") {
  RemovalWorld w;
  w.world.makeDirectory("tree");
  for (uint i = 0; i < 100 * REMOVED_AT_A_TIME; i++) w.world.write(kj::str("tree/", i), "");
  {
    auto removal = w.remove("tree");
    auto& timer = w.io.provider->getTimer();
    while (w.world.has("tree/0") && w.world.has("tree/1")) {
      timer.afterDelay(1 * kj::MILLISECONDS).wait(w.io.waitScope);
      CHECK_FALSE(removal.poll(w.io.waitScope));
    }
  }
  w.programs.reaper.onChildless().wait(w.io.waitScope);
  CHECK(w.world.has("tree"));
}

}  // namespace
}  // namespace bothy
