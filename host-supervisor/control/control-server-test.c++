#include "control/control-server.h"

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

// A socket whose accept() fails so often, and then has one client.
class FailingReceiver final: public kj::ConnectionReceiver {
public:
  FailingReceiver(kj::Exception failure, int failures)
      : failure(kj::mv(failure)), failuresLeft(failures) {}

  int accepted = 0;
  kj::Own<kj::AsyncIoStream> client;

  kj::Promise<kj::Own<kj::AsyncIoStream>> accept() override {
    if (failuresLeft > 0) {
      failuresLeft--;
      return kj::cp(failure);
    }
    if (accepted++ > 0) return kj::NEVER_DONE;
    auto pipe = kj::newCapabilityPipe();
    client = kj::mv(pipe.ends[0]);
    return kj::Own<kj::AsyncIoStream>(kj::mv(pipe.ends[1]));
  }
  uint getPort() override { return 0; }

private:
  kj::Exception failure;
  int failuresLeft;
};

struct World {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  DescriptorTable descriptors;
  ControlServer server{timer, descriptors,
                       [](ClientIdentity) -> rpc::Supervisor::Client {
                         return KJ_EXCEPTION(FAILED, "nobody calls it");
                       },
                       4};
};

TEST_CASE("P41 who comes while there are no files left waits, and is served when there are") {
  World w;
  FailingReceiver receiver(KJ_EXCEPTION(OVERLOADED, "accept: Too many open files"), 3);
  auto serving = w.server.listen(receiver);
  for (int i = 0; i < 3; i++) {
    CHECK_FALSE(serving.poll(w.scope));
    CHECK(receiver.accepted == 0);
    w.timer.advanceTo(w.timer.now() + 1 * kj::SECONDS);
  }
  CHECK_FALSE(serving.poll(w.scope));
  CHECK(receiver.accepted == 2);
}

TEST_CASE("a socket that is broken is told") {
  World w;
  FailingReceiver receiver(KJ_EXCEPTION(FAILED, "accept: Bad file descriptor"), 1);
  CHECK_THROWS_AS(w.server.listen(receiver).wait(w.scope), kj::Exception);
}

}  // namespace
}  // namespace bothy
