#include "loop/hang-up-watch.h"

#include <kj/async-io.h>
#include <kj/debug.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

struct Watched final: HangUpWatch::Listener {
  kj::AutoCloseFd near, far;
  kj::Maybe<HangUpWatch::Entry> entry;
  kj::Maybe<Watched&> victim;
  int heard = 0;
  kj::PromiseFulfillerPair<void> first = kj::newPromiseAndFulfiller<void>();

  explicit Watched(HangUpWatch& watch) {
    int ends[2];
    KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends));
    near = kj::AutoCloseFd(ends[0]);
    far = kj::AutoCloseFd(ends[1]);
    entry.emplace(watch, near.get(), *this);
  }

  void onHangUp() override {
    ++heard;
    KJ_IF_MAYBE (other, victim) other->entry = nullptr;
    first.fulfiller->fulfill();
  }
};

struct Fixture {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  HangUpWatch watch;

  // Until all is heard that has hung up: they are heard in order.
  void settle() {
    Watched last(watch);
    last.far = nullptr;
    io.provider->getTimer()
        .timeoutAfter(30 * kj::SECONDS, kj::mv(last.first.promise))
        .wait(io.waitScope);
  }
};

TEST_CASE("a hang-up is heard of once, and nothing else is") {
  Fixture f;
  Watched one(f.watch), other(f.watch);
  KJ_SYSCALL(write(one.far, "x", 1));
  KJ_SYSCALL(shutdown(other.near, SHUT_WR));
  f.settle();
  CHECK(one.heard == 0);
  CHECK(other.heard == 0);
  one.far = nullptr;
  f.settle();
  f.settle();
  CHECK(one.heard == 1);
  CHECK(other.heard == 0);
}

// So does the kernel's vsock show that the peer has closed it.
TEST_CASE("P09 the end of what a peer sends is heard of once, though neither end hangs up") {
  Fixture f;
  Watched one(f.watch);
  KJ_SYSCALL(shutdown(one.far, SHUT_WR));
  f.settle();
  CHECK(one.heard == 1);
  one.far = nullptr;
  f.settle();
  CHECK(one.heard == 1);
}

TEST_CASE("what had hung up before it was watched is heard of") {
  Fixture f;
  Watched one(f.watch);
  one.entry = nullptr;
  one.far = nullptr;
  f.settle();
  CHECK(one.heard == 0);
  one.entry.emplace(f.watch, one.near.get(), one);
  f.settle();
  CHECK(one.heard == 1);
}

TEST_CASE("a listener may end the entry of another that has hung up too") {
  Fixture f;
  Watched one(f.watch), other(f.watch);
  one.victim = other;
  other.victim = one;
  one.far = nullptr;
  other.far = nullptr;
  f.settle();
  CHECK(one.heard + other.heard == 1);
}

TEST_CASE("of many hang-ups at once all are heard of") {
  Fixture f;
  kj::Vector<kj::Own<Watched>> many;
  for (int i = 0; i < 100; ++i) many.add(kj::heap<Watched>(f.watch));
  for (auto& each : many) each->far = nullptr;
  f.settle();
  for (auto& each : many) CHECK(each->heard == 1);
}

}  // namespace
}  // namespace bothy
