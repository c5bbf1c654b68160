// A disk that is made larger.  All scenarios share a machine.

#include <kj/debug.h>
#include <sys/stat.h>
#include <catch2/catch_test_macros.hpp>

#include "support/host-program.h"
#include "support/shared-workspace.h"

namespace bothy {
namespace {

uint64_t diskMib(TestWorkspace& workspace) {
  return workspace.shell("df -B1M --output=size / | tail -n 1").parseAs<uint64_t>();
}

// First, because the other leaves a disk that has much on it.
TEST_CASE("P31 what a guest deletes is the host's again, on an encrypted disk too") {
  auto& [host, workspace] = sharedWorkspace();
  auto info = workspace.info();
  auto volume = kj::str(host.directory(), "/state/volumes/", info.getId(), ".qcow2");
  auto usedMib = [&]() {
    struct stat stats;
    KJ_SYSCALL(stat(volume.cStr(), &stats), volume);
    return static_cast<uint64_t>(stats.st_blocks) * 512 / 1024 / 1024;
  };
  auto before = usedMib();
  workspace.shell("dd if=/dev/urandom of=$HOME/much bs=1M count=100 status=none; sync");
  CHECK(usedMib() > before + 95);
  workspace.shell("rm ~/much; sync");
  // The kernel gives it back a little after the sync.
  const auto deadline = host.now() + SupervisedHost::LIMIT;
  while (usedMib() >= before + 20 && host.now() < deadline) {
    host.timer.afterDelay(20 * kj::MILLISECONDS).wait(host.scope);
  }
  CHECK(usedMib() < before + 20);
}

TEST_CASE("a disk grows with its file system, and what is on it stays") {
  auto& [host, workspace] = sharedWorkspace();
  auto before = diskMib(workspace);
  workspace.shell("seq 100000 > ~/numbers; sync");
  host.stopWorkspace(workspace.name);
  auto answer = runProgram({BOTHY_PROGRAM ""_kj, "--socket"_kj, host.socket(), "resize"_kj,
                            workspace.name, "--disk"_kj, "400M"_kj});
  INFO(answer.err.cStr());
  REQUIRE(answer.status == 0);
  workspace.startAgain();
  CHECK(diskMib(workspace) > before + 120);
  CHECK(workspace.shell("seq 100000 | cmp - ~/numbers && echo same") == "same");
  // There is room for more than the disk had before.
  workspace.shell("yes bothy | head -c 256M > ~/much; sync");
  host.stopWorkspace(workspace.name);
  workspace.startAgain();
  CHECK(workspace.shell("yes bothy | head -c 256M | cmp - ~/much && echo same") == "same");
}

}  // namespace
}  // namespace bothy
