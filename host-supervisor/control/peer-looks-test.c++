#include "control/peer-looks.h"

#include <kj/debug.h>
#include <kj/mutex.h>
#include <sys/socket.h>

#include <thread>

#include <catch2/catch_test_macros.hpp>

#include "control/supervisor-fixture.h"

namespace bothy {
namespace {

// What a look finds: the kernel's answer, and nothing before it may.
struct Kernel {
  size_t begun = 0;
  bool hangs = false;
  std::thread::id thread;
  std::thread::id testThread = std::this_thread::get_id();
};
kj::MutexGuarded<Kernel> kernel;

SocketPeer lookSlowly(uint32_t inode) {
  {
    auto locked = kernel.lockExclusive();
    ++locked->begun;
    locked->thread = std::this_thread::get_id();
    // On the test's own thread it would hang for good.
    if (locked->thread != locked->testThread) {
      locked.wait([](const Kernel& k) { return !k.hangs; });
    }
  }
  return peerOfUnix(inode);
}

// Members in the order of their use: the thread ends when the kernel has answered.
struct World: public Fixture {
  ThreadPeerLooks looks{timer, lookSlowly};
  LaneKeeper keeper{timer, looks};

  World() { *kernel.lockExclusive() = {}; }
  ~World() noexcept(false) { kernel.lockExclusive()->hangs = false; }

  // Returns the far end of a lane that was kept and dropped.
  kj::Own<kj::AsyncIoStream> closeLane() {
    auto pipe = io.provider->newTwoWayPipe();
    keeper.keep({LaneGrant(), kj::mv(pipe.ends[0])}, KJ_ASSERT_NONNULL(find("demo")->machine()),
                {ClientIdentity{1, 0, 0, 0}, keeper.requireRoom({1, 0, 0, 0})});
    return kj::mv(pipe.ends[1]);
  }
  bool isFull() {
    return kj::runCatchingExceptions([&]() { keeper.requireRoom({1, 0, 0, 0}); }) != nullptr;
  }
  // What is on another thread takes its own time.
  void passWhile(kj::Function<bool()> condition) {
    for (int i = 0; i < 3000 && condition(); ++i) {
      io.provider->getTimer().afterDelay(10 * kj::MILLISECONDS).wait(scope);
      advance(10 * kj::MILLISECONDS);
      settle();
    }
  }
};

TEST_CASE("S01 however long a look at a closed lane lasts, it holds the event loop up for nobody") {
  World w;
  w.create("demo").wait(w.scope);
  kernel.lockExclusive()->hangs = true;
  kj::Vector<kj::Own<kj::AsyncIoStream>> farEnds;
  for (kj::uint i = 0; i < MAX_HELD_LANES; i++) farEnds.add(w.closeLane());
  w.passWhile([]() { return kernel.lockExclusive()->begun == 0; });
  const auto thread = kernel.lockExclusive()->thread;
  CHECK(thread != std::this_thread::get_id());
  CHECK(w.connect("demo").wait(w.scope).getOutcome().isConnected());
  CHECK(w.isFull());
  // The agent is asked to end them, whatever the kernel says.
  for (int i = 0; i < 2; ++i) {
    w.advance(1 * kj::SECONDS);
    w.settle();
  }
  CHECK(w.endedLanes.size() >= MAX_HELD_LANES);
  farEnds.clear();
  kernel.lockExclusive()->hangs = false;
  w.passWhile([&]() { return w.isFull(); });
  CHECK_FALSE(w.isFull());
}

TEST_CASE("S26 none of the looks that wait is refused, however many they are") {
  World w;
  kernel.lockExclusive()->hangs = true;
  auto pipe = w.io.provider->newTwoWayPipe();
  const int socket = KJ_ASSERT_NONNULL(pipe.ends[0]->getFd());
  kj::Vector<kj::Promise<SocketPeer>> asked;
  for (size_t i = 0; i < 2 * WORKER_QUEUE_LIMIT_JOBS; ++i) asked.add(w.looks.peerOf(socket));
  w.settle();
  kernel.lockExclusive()->hangs = false;
  for (auto& one : asked) CHECK(one.wait(w.scope) == SocketPeer::OPEN);
}

TEST_CASE("S26 what is no Unix socket is looked at by nobody") {
  World w;
  int raw;
  KJ_SYSCALL(raw = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  kj::AutoCloseFd fd(raw);
  CHECK(w.looks.peerOf(fd).wait(w.scope) == SocketPeer::UNTELLABLE);
  CHECK(kernel.lockExclusive()->begun == 0);
}

}  // namespace
}  // namespace bothy
