#include "support/deaf-machine.h"

#include <errno.h>
#include <kj/debug.h>
#include <sys/socket.h>

#include "support/broken-image.h"
#include "support/host-program.h"

namespace bothy {
namespace {

// A socket that takes nothing for so long is full, all the way to the guest.
constexpr kj::Duration FULL_PAUSE = 300 * kj::MILLISECONDS;

}  // namespace

DeafMachine::DeafMachine(SupervisedHost& host, kj::StringPtr agent) : host(host) {
  BrokenImage(host).setInit(agent);
  auto request = host.supervisor().createRequest();
  auto spec = request.initSpec();
  spec.setName("deaf");
  spec.setImage("broken");
  spec.setDiskMib(256);
  auto response =
      host.wait(request.send().dropPipeline(), "the creation", SupervisedHost::BOOT_LIMIT);
  KJ_REQUIRE(response.getOutcome().isCreated(), response.getOutcome());
}

capnp::Response<rpc::Supervisor::ConnectResults> DeafMachine::connect(
    kj::Function<void(rpc::LaneRequest::Builder)> want) {
  auto request = host.supervisor().connectRequest();
  request.setName("deaf");
  want(request.initWanted());
  auto response = host.wait(request.send().dropPipeline(), "a lane");
  KJ_REQUIRE(response.getOutcome().isConnected(), response.getOutcome());
  return response;
}

DeafMachine::FullLane::FullLane(DeafMachine& machine, kj::Duration lifetime)
    : host(machine.host),
      lane(machine.connect([&](auto wanted) {
        wanted.setCommands();
        wanted.setLifetimeMillis(lifetime / kj::MILLISECONDS);
      })),
      ending(lane.getLane().whenEndedRequest().send()),
      fd(KJ_REQUIRE_NONNULL(host.wait(lane.getLane().getFd(), "the descriptor"))) {
  static constexpr char MUCH[64 * 1024] = {};
  const auto deadline = host.now() + lifetime;
  for (auto full = host.now() + FULL_PAUSE; host.now() < full;) {
    if (send(fd, MUCH, sizeof(MUCH), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
      full = host.now() + FULL_PAUSE;
    } else {
      KJ_REQUIRE(errno == EAGAIN, "the lane has ended early", errno);
      host.timer.afterDelay(10 * kj::MILLISECONDS).wait(host.scope);
    }
    KJ_REQUIRE(host.now() < deadline, "the lane does not fill");
  }
}

rpc::LaneEnd DeafMachine::FullLane::awaitEnd() {
  return host.wait(kj::mv(ending), "the lane's end").getReason();
}

bool DeafMachine::FullLane::isUsable() {
  char byte = 0;
  if (send(fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) return true;
  // The Welcome may be there yet.
  char welcome[4096];
  recv(fd, welcome, sizeof(welcome), MSG_DONTWAIT);
  return recv(fd, &byte, 1, MSG_DONTWAIT) > 0;
}

void DeafMachine::listen() {
  auto files = connect([](auto wanted) { wanted.initFiles().setAccess(rpc::FileAccess::READ); });
  hostOutput({"/bin/sh"_kj, "-c"_kj,
              kj::str("for i in $(seq 600); do grep -q 'deaf: a lane had' ", host.directory(),
                      "/state/consoles/* && exit 0; sleep 0.1; done; cat ", host.directory(),
                      "/state/consoles/*; exit 1")});
}

}  // namespace bothy
