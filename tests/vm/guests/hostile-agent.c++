// An init that greets as an agent does, and then attacks whoever it has greeted: each control lane in another way.

#include <kj/debug.h>
#include <kj/vector.h>
#include <unistd.h>

#include "lane/lane-grant.h"
#include "lane/lane-greeting.h"
#include "rpc/vsock-listener.h"
#include "support/hostile-peer.h"
#include "wire/socket-stream.h"

namespace bothy {
namespace {

void say(kj::StringPtr line) {
  auto text = kj::str("hostile: ", line, "\n");
  KJ_SYSCALL(write(STDOUT_FILENO, text.begin(), text.size()));
}

// All attacks of `part`, first by one that reads nothing, then by one that reads, and so on.
AttackPlan planOf(AttackerPart part, size_t turn) {
  auto attacks = attacksOf(part);
  return {attacks[turn % attacks.size()], part, turn / attacks.size() % 2 == 1};
}

kj::Promise<void> serve(kj::AsyncIoStream& stream, size_t& turns) {
  co_await readGreeting(stream);
  auto message = co_await readGreeting(stream);
  const bool isControl = message->getRoot<rpc::Grant>().getPurpose() == rpc::Purpose::CONTROL;
  auto plan = planOf(isControl ? AttackerPart::CONTROL : AttackerPart::AGENT, turns++);
  say(kj::strArray(plan.words(), " "));
  HostilePeer peer(stream, plan);
  co_await peer.attack();
  say("over");
}

void serve() {
  auto io = kj::setupAsyncIo();
  HostOnly hostOnly;
  auto receiver = io.lowLevelProvider->wrapListenSocketFd(listenForHost(), hostOnly);
  // The host dials whoever has spoken.
  say("here");
  size_t turns = 0;
  kj::Vector<kj::Promise<void>> connections;
  for (;;) {
    // Packets that its own device would drop keep their places in the queue for ever, and harm nobody but the guest.
    auto accepted = receiver->accept().wait(io.waitScope);
    auto stream = kj::heap<SocketStream>(io.unixEventPort,
                                         duplicateSocket(KJ_REQUIRE_NONNULL(accepted->getFd())));
    auto serving = serve(*stream, turns).attach(kj::mv(stream));
    connections.add(serving.eagerlyEvaluate([](kj::Exception&&) {}));
  }
}

}  // namespace
}  // namespace bothy

int main() {
  bothy::serve();
}
