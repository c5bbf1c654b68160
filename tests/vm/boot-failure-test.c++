// A workspace that cannot start says what kept it: one broken image for each way.

#include <kj/debug.h>
#include <signal.h>
#include <string.h>
#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <string>

#include "support/broken-image.h"
#include "support/event-record.h"
#include "support/host-program.h"
#include "support/test-workspace.h"

namespace bothy {
namespace {

namespace fs = std::filesystem;

using Created = capnp::Response<rpc::Supervisor::CreateResults>;

kj::Promise<Created> create(SupervisedHost& host) {
  auto request = host.supervisor().createRequest();
  auto spec = request.initSpec();
  spec.setName("test");
  spec.setImage("broken");
  spec.setDiskMib(256);
  return request.send().dropPipeline();
}

bool says(kj::StringPtr text, const char* part) {
  return strstr(text.cStr(), part) != nullptr;
}

// Waits for a creation that fails so, and checks that nothing of the machine is left.
void expectFailure(SupervisedHost& host, kj::Promise<Created> creating, rpc::Stage stage,
                   rpc::StartFault fault, const char* message, const char* console) {
  auto response = host.wait(kj::mv(creating), "the failure", SupervisedHost::BOOT_LIMIT);
  REQUIRE(response.getOutcome().isFailed());
  auto failed = response.getOutcome().getFailed();
  INFO(failed.getMessage().cStr());
  INFO(failed.getConsole().cStr());
  CHECK(failed.getStage() == stage);
  CHECK(failed.getFault() == fault);
  CHECK(says(failed.getMessage(), message));
  CHECK(says(failed.getConsole(), console));
  CHECK(failed.getConsole().size() <= 4096);

  auto request = host.supervisor().getRequest();
  request.setName("test");
  auto found = host.wait(request.send().dropPipeline(), "the state");
  CHECK(found.getOutcome().getFound().getState() == rpc::WorkspaceState::FAILED);
  CHECK(fs::is_empty(
      kj::str(host.directory(), "/run/vms/", found.getOutcome().getFound().getId()).cStr()));
}

TEST_CASE("P30 a kernel that is none is told as a monitor that exited") {
  SupervisedHost host;
  BrokenImage(host).setKernelText("this is no kernel");
  expectFailure(host, create(host), rpc::Stage::STARTING_VM, rpc::StartFault::VMM_EXITED,
                "libvirt could not", "");
}

TEST_CASE("P30 a monitor that is killed while its machine boots is told as that") {
  SupervisedHost host;
  BrokenImage(host).setInit(BOTHY_MUTE_INIT);
  auto creating = create(host);
  auto qemus = kj::str("pgrep -f '[q]emu-system.*", host.directory(), "'");
  for (;;) {
    CHECK_FALSE(creating.poll(host.scope));
    auto found =
        runProgram({"/bin/sh"_kj, "-c"_kj,
                    kj::str(qemus, " && grep -q mute ", host.directory(), "/state/consoles/*")});
    if (found.status == 0) break;
    host.timer.afterDelay(50 * kj::MILLISECONDS).wait(host.scope);
  }
  hostOutput({"/bin/sh"_kj, "-c"_kj, kj::str("kill -KILL $(", qemus, ")")});
  expectFailure(host, kj::mv(creating), rpc::Stage::BOOTING, rpc::StartFault::VMM_EXITED,
                "QEMU ended", "mute: here");
}

TEST_CASE("P30 a kernel that says nothing is told before the deadline of the agent") {
  SupervisedHost host({.settings = "boot-limit = 20\n"});
  BrokenImage(host).setKernel(BOTHY_SILENT_KERNEL);
  expectFailure(host, create(host), rpc::Stage::BOOTING, rpc::StartFault::KERNEL_SILENT,
                "nothing came from the machine's kernel within 10 s", "");
}

TEST_CASE("P30 an image without an init is told in the kernel's words") {
  SupervisedHost host;
  BrokenImage(host).setInit("");
  expectFailure(host, create(host), rpc::Stage::BOOTING, rpc::StartFault::NO_INIT,
                "Unable to mount root fs", "Kernel panic");
}

TEST_CASE("P30 an init that never says hello is told when its time is over") {
  SupervisedHost host({.settings = "boot-limit = 20\n"});
  BrokenImage(host).setInit(BOTHY_MUTE_INIT);
  expectFailure(host, create(host), rpc::Stage::BOOTING, rpc::StartFault::NO_HELLO,
                "the machine's agent did not answer within 20 s", "mute: here");
}

TEST_CASE("P30 an agent of another protocol generation is told as that, at once") {
  SupervisedHost host;
  BrokenImage(host).setInit(BOTHY_STRANGER_AGENT);
  expectFailure(host, create(host), rpc::Stage::BOOTING, rpc::StartFault::GENERATION,
                "protocol generation 1000", "stranger: here");
}

}  // namespace
}  // namespace bothy
