// An init that welcomes whoever greets it and then reads nothing more of that connection, until somebody asks for files: from then on it
// reads what the others have sent, and tells how each of them ends.

#include <kj/debug.h>
#include <kj/vector.h>
#include <unistd.h>

#include "lane/lane-grant.h"
#include "lane/lane-greeting.h"
#include "rpc/vsock-listener.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

void say(kj::StringPtr line) {
  auto text = kj::str("deaf: ", line, "\n");
  KJ_SYSCALL(write(STDOUT_FILENO, text.begin(), text.size()));
}

class DeafAgent {
public:
  kj::Promise<void> serve(kj::Own<kj::AsyncIoStream> stream) {
    co_await readGreeting(*stream);
    auto message = co_await readGreeting(*stream);
    const auto purpose = message->getRoot<rpc::Grant>().getPurpose();
    auto welcome = kj::heap<capnp::MallocMessageBuilder>();
    welcome->initRoot<rpc::Welcome>().setGeneration(rpc::GENERATION);
    co_await writeGreeting(*stream, kj::mv(welcome));
    if (purpose == rpc::Purpose::COMMANDS) {
      unread.add(kj::mv(stream));
      co_return;
    }
    if (purpose == rpc::Purpose::FILES) {
      for (auto& lane : unread) reading.add(readAll(*lane).eagerlyEvaluate(nullptr));
    }
    co_await kj::Promise<void>(kj::NEVER_DONE);
  }

private:
  kj::Vector<kj::Own<kj::AsyncIoStream>> unread;
  kj::Vector<kj::Promise<void>> reading;

  kj::Promise<void> readAll(kj::AsyncIoStream& stream) {
    static kj::byte buffer[64 * 1024];
    uint64_t bytes = 0;
    kj::StringPtr how = "its end";
    try {
      while (size_t count = co_await stream.tryRead(buffer, 1, sizeof(buffer))) bytes += count;
    } catch (...) {
      how = "a reset";
    }
    say(kj::str("a lane had ", bytes, " bytes to ", how));
  }
};

void serve() {
  auto io = kj::setupAsyncIo();
  HostOnly hostOnly;
  auto receiver = io.lowLevelProvider->wrapListenSocketFd(listenForHost(), hostOnly);
  // The host dials whoever has spoken.
  say("here");
  DeafAgent agent;
  kj::Vector<kj::Promise<void>> connections;
  for (;;) {
    auto serving = agent.serve(receiver->accept().wait(io.waitScope));
    connections.add(serving.eagerlyEvaluate([](kj::Exception&&) {}));
  }
}

}  // namespace
}  // namespace bothy

int main() {
  bothy::serve();
}
