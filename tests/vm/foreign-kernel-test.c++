// Workspaces on a kernel that is not ours: Debian's, with its drivers as modules, as tools/up starts with.

#include <kj/debug.h>
#include <string.h>
#include <catch2/catch_test_macros.hpp>

#include <filesystem>

#include "support/host-program.h"
#include "support/test-workspace.h"

namespace bothy {
namespace {

// Where tools/setup/unpack-kernel has put it.
kj::String debianKernel() {
  auto folder = kj::str(BOTHY_CACHE_DIR "/current/debian-kernel");
  KJ_REQUIRE(std::filesystem::exists(kj::str(folder, "/vmlinuz").cStr()),
             "there is no kernel of Debian's: run tools/setup/unpack-kernel", folder);
  return folder;
}

TEST_CASE(
    "P43 a workspace boots and works on the kernel and modules that an image builder brings") {
  SupervisedHost host;
  auto kernel = debianKernel();
  hostOutput({BOTHY_IMAGE_PROGRAM ""_kj, "build"_kj, "base"_kj, "--output"_kj,
              kj::str(host.directory(), "/images"), "--kernel"_kj, kj::str(kernel, "/vmlinuz"),
              "--modules"_kj, kj::str(kernel, "/modules")});
  TestWorkspace workspace(host);

  // The host reached the agent, so the secret and vsock are there; now what the modules are for.
  CHECK(strstr(workspace.shell("uname -r").cStr(), "-cloud-") != nullptr);
  auto response = host.wait(workspace.system().reportRequest().send().dropPipeline(), "the report");
  auto report = response.getReport();
  bool isTold = false;
  for (auto stage : report.getStages()) {
    INFO(stage.getName().cStr());
    CHECK(stage.getFailure() == "");
    isTold = isTold || stage.getName() == "loaded the kernel's modules";
  }
  CHECK(isTold);
  CHECK(report.getDataDisk().isReady());
  CHECK(workspace.shell("stat -f -c %T /") == "overlayfs");
  CHECK(workspace.shell("stat -f -c %T /sys/fs/cgroup") == "cgroup2fs");
  CHECK(workspace.shell("cat /sys/class/misc/hw_random/rng_current", "root") == "virtio_rng.0");
  CHECK(workspace.shell("ls /modules 2>/dev/null || echo none") == "none");

  workspace.shell("echo kept > ~/file");
  CHECK(host.stopWorkspace("test") == rpc::Supervisor::StopKind::ORDERLY);
  workspace.startAgain();
  CHECK(workspace.shell("cat ~/file") == "kept");
}

}  // namespace
}  // namespace bothy
