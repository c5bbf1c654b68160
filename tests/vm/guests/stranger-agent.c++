// An init that answers the host's hello as an agent of a protocol generation that nobody has.

#include <kj/vector.h>
#include <unistd.h>

#include "lane/lane-greeting.h"
#include "rpc/vsock-listener.h"

namespace bothy {
namespace {

constexpr uint32_t STRANGE_GENERATION = 1000;

kj::Promise<void> answer(kj::AsyncIoStream& stream) {
  co_await readGreeting(stream);
  auto message = kj::heap<capnp::MallocMessageBuilder>();
  message->initRoot<rpc::Welcome>().setGeneration(STRANGE_GENERATION);
  co_await writeGreeting(stream, kj::mv(message));
  co_await stream.whenWriteDisconnected();
}

void serve() {
  auto io = kj::setupAsyncIo();
  HostOnly hostOnly;
  auto receiver = io.lowLevelProvider->wrapListenSocketFd(listenForHost(), hostOnly);
  // The host dials whoever has spoken.
  static constexpr char WORD[] = "stranger: here\n";
  if (write(STDOUT_FILENO, WORD, sizeof(WORD) - 1) < 0) return;
  kj::Vector<kj::Promise<void>> connections;
  for (;;) {
    auto stream = receiver->accept().wait(io.waitScope);
    auto answering = answer(*stream).attach(kj::mv(stream));
    connections.add(answering.eagerlyEvaluate([](kj::Exception&&) {}));
  }
}

}  // namespace
}  // namespace bothy

int main() {
  bothy::serve();
}
