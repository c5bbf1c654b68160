#include "process/session-tree.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "process/test-world.h"
#include "support/few-files.h"

namespace bothy {
namespace {

TEST_CASE("P12 a tree of which nothing can be read now is not taken for an empty one") {
  auto io = setupTestIo();
  pid_t child;
  KJ_SYSCALL(child = fork());
  if (child == 0) {
    setsid();
    for (;;) pause();
  }
  auto end = [&]() {
    if (child == 0) return;
    kill(child, SIGKILL);
    int status;
    KJ_SYSCALL(waitpid(child, &status, 0));
    child = 0;
  };
  // Also where the test is skipped.
  KJ_DEFER(end());
  auto tree = newSessionTree(io.unixEventPort);
  tree->adopt(child);
  // Not even the directory, and the directory alone.
  for (rlim_t left : {0, 1}) {
    INFO(left);
    auto empty = tree->onEmpty();
    {
      FewFiles few(left);
      auto emptyNow = tree->onEmpty();
      CHECK_FALSE(emptyNow.poll(io.waitScope));
    }
    CHECK_FALSE(empty.poll(io.waitScope));
  }
  auto empty = tree->onEmpty();
  end();
  empty.wait(io.waitScope);
}

}  // namespace
}  // namespace bothy
