#include "kvm/kvm-host.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_session.hpp>

#include "lane/lane-descriptor.h"
#include "lane/lane.h"
#include "schema/agent.capnp.h"
#include "support/host-program.h"
#include "wire/rpc-connection.h"

namespace bothy {
namespace {

kj::Maybe<kj::Own<KvmHost>> kvmHost;

// Runs a command, says so and holds it until it is killed.
int runClient(kj::StringPtr socket) {
  auto io = kj::setupAsyncIo();
  auto address =
      io.provider->getNetwork().parseAddress(kj::str("unix:", socket)).wait(io.waitScope);
  RpcConnection connection(
      address->connect().wait(io.waitScope).downcast<kj::AsyncCapabilityStream>(), 1);
  auto connect = connection.bootstrap().castAs<rpc::Supervisor>().connectRequest();
  connect.setName("test");
  connect.initWanted().setCommands();
  auto connected = connect.send().wait(io.waitScope);
  Lane lane(streamOf(connected.getLane(), io.unixEventPort).wait(io.waitScope),
            io.provider->getTimer());
  auto request =
      lane.bootstrap().castAs<rpc::Agent>().processesRequest().send().getProcesses().execRequest();
  auto argv = request.initCommand().initArgv(2);
  argv.set(0, "/bin/sleep");
  argv.set(1, "1003");
  auto response = request.send().wait(io.waitScope);
  KJ_REQUIRE(response.getOutcome().isStarted(), response.getOutcome());
  KJ_SYSCALL(write(STDOUT_FILENO, "begun\n", 6));
  kj::Promise<void>(kj::NEVER_DONE).wait(io.waitScope);
  return 0;
}

}  // namespace

KvmHost& theHost() {
  static bool wasTried = false;
  if (kvmHost == nullptr) {
    KJ_REQUIRE(!wasTried, "the first workspace did not start");
    wasTried = true;
    kvmHost = kj::heap<KvmHost>();
  }
  return *KJ_ASSERT_NONNULL(kvmHost);
}

void endHost() {
  kvmHost = nullptr;
}

bool has(kj::StringPtr text, kj::StringPtr part) {
  return strstr(text.cStr(), part.cStr()) != nullptr;
}

kj::String shell(kj::StringPtr script) {
  return hostOutput({"/bin/sh"_kj, "-c"_kj, script});
}

}  // namespace bothy

int main(int argc, char* argv[]) {
  if (argc == 3 && argv[1] == bothy::CLIENT_OPTION) return bothy::runClient(argv[2]);
  if (access("/dev/kvm", F_OK) < 0 || access("/dev/vhost-vsock", F_OK) < 0) {
    KJ_LOG(ERROR, "this host has no KVM or no vsock of the kernel's: see run-in-kvm-host");
    return 1;
  }
  int status = Catch::Session().run(argc, argv);
  if (status != 0) setenv("BOTHY_KEEP_LOGS", "1", 1);
  bothy::endHost();
  return status;
}
