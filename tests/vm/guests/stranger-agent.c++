// An init that answers the host's hello as an agent of a protocol generation that nobody has.

#include <kj/vector.h>
#include <unistd.h>

#include "rpc/vsock-listener.h"
#include "schema/agent.capnp.h"
#include "wire/rpc-connection.h"

namespace bothy {
namespace {

constexpr uint32_t STRANGE_GENERATION = 1000;

class StrangeGate final: public rpc::AgentGate::Server {
  kj::Promise<void> hello(HelloContext context) override {
    context.getResults().initOutcome().initWelcome().setGeneration(STRANGE_GENERATION);
    return kj::READY_NOW;
  }
};

void serve() {
  auto io = kj::setupAsyncIo();
  HostOnly hostOnly;
  auto receiver = io.lowLevelProvider->wrapListenSocketFd(listenForHost(), hostOnly);
  // The host dials whoever has spoken.
  static constexpr char WORD[] = "stranger: here\n";
  if (write(STDOUT_FILENO, WORD, sizeof(WORD) - 1) < 0) return;
  kj::Vector<kj::Own<RpcConnection>> connections;
  for (;;) {
    connections.add(
        kj::heap<RpcConnection>(receiver->accept().wait(io.waitScope), kj::heap<StrangeGate>()));
  }
}

}  // namespace
}  // namespace bothy

int main() {
  bothy::serve();
}
