#include <fcntl.h>
#include <kj/debug.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "rpc/host-connections.h"
#include "rpc/socket-receiver.h"
#include "rpc/test-notes.h"
#include "schema/limits.capnp.h"
#include "support/few-files.h"
#include "support/greeted-lane.h"

namespace bothy {
namespace {

class CountingReceiver final: public kj::ConnectionReceiver {
public:
  CountingReceiver(kj::Own<kj::ConnectionReceiver> inner, kj::uint& tries)
      : inner(kj::mv(inner)), tries(tries) {}
  kj::Promise<kj::Own<kj::AsyncIoStream>> accept() override {
    ++tries;
    return inner->accept();
  }
  kj::uint getPort() override { return inner->getPort(); }

private:
  kj::Own<kj::ConnectionReceiver> inner;
  kj::uint& tries;
};

// An agent with a real listening socket, in virtual time.
struct World {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  const kj::byte secret[rpc::SECRET_BYTES] = {7};
  GateKey key{kj::heapArray<const kj::byte>(secret, sizeof(secret))};
  class SomeSystem final: public rpc::System::Server {};
  class NoFiles final: public FileLanes {
    kj::OneOf<kj::Own<OfUser>, rpc::Refusal> find(const LaneGrant&) override {
      return rpc::Refusal::NO_SUCH_USER;
    }
  } files;
  Facets facets{[](auto) { return kj::heap<rpc::Terminals::Server>(); },
                [](auto) { return kj::heap<rpc::Processes::Server>(); }, kj::heap<SomeSystem>(),
                files, noNotes()};
  MessageBudget memory{LANES_LIMITS};
  HostConnections connections{timer, timer, key, facets, memory};
  kj::uint tries = 0;
  kj::uint port = 0;
  kj::Promise<void> serving = nullptr;

  World() {
    auto listening = io.provider->getNetwork().parseAddress("127.0.0.1").wait(scope)->listen();
    port = listening->getPort();
    serving = connections
                  .serve(kj::heap<CountingReceiver>(
                      kj::heap<SocketReceiver>(io.unixEventPort, kj::mv(listening)), tries))
                  .eagerlyEvaluate(nullptr);
  }
  // The kernel completes it, whether the agent accepts or not.
  kj::AutoCloseFd dial() {
    int fd;
    KJ_SYSCALL(fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    kj::AutoCloseFd owned(fd);
    struct sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    KJ_SYSCALL(connect(fd, reinterpret_cast<struct sockaddr*>(&address), sizeof(address)));
    return owned;
  }
  kj::Own<Lane> enter(kj::AutoCloseFd fd) {
    return greet(scope, timer, io.lowLevelProvider->wrapSocketFd(kj::mv(fd)), secret,
                 wholeGrant(rpc::Purpose::CONTROL));
  }
  kj::Promise<void> ping(Lane& lane) {
    return lane.bootstrap().castAs<rpc::AgentControl>().pingRequest().send().ignoreResult();
  }
  void pass(kj::Duration time) {
    scope.poll();
    timer.advanceTo(timer.now() + time);
    scope.poll();
  }
};

TEST_CASE("P41 an agent without a free descriptor serves its lanes, and accepts when it has one") {
  // It looks at memory through a pipe.
  if (__has_feature(undefined_behavior_sanitizer)) SKIP("the sanitizer itself needs descriptors");
  World w;
  auto first = w.enter(w.dial());
  w.ping(*first).wait(w.scope);
  auto fd = w.dial();
  kj::Own<Lane> second;
  kj::Promise<void> pinging = nullptr;
  {
    FewFiles none(0);
    const auto tries = w.tries;
    second = w.enter(kj::mv(fd));
    pinging = w.ping(*second);
    CHECK_FALSE(pinging.poll(w.scope));
    w.ping(*first).wait(w.scope);
    // It does not ask without a pause.
    CHECK(w.tries == tries);
    w.pass(ACCEPT_RETRY);
    CHECK(w.tries == tries + 1);
    CHECK_FALSE(pinging.poll(w.scope));
  }
  w.pass(ACCEPT_RETRY);
  pinging.wait(w.scope);
}

TEST_CASE(
    "P41 a connection for which one descriptor is too few is closed, and the next is served") {
  // It looks at memory through a pipe.
  if (__has_feature(undefined_behavior_sanitizer)) SKIP("the sanitizer itself needs descriptors");
  World w;
  auto fd = w.dial();
  {
    // For accept(2), and none for the stream of the connection.
    FewFiles one(1);
    auto lane = w.enter(kj::mv(fd));
    lane->onDisconnect().wait(w.scope);
  }
  auto next = w.enter(w.dial());
  w.pass(ACCEPT_RETRY);
  w.ping(*next).wait(w.scope);
}

}  // namespace
}  // namespace bothy
