#include "vm/disk-stall.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

namespace bothy {
namespace {

// A libvirt that runs machines again, or does not.
class FakeLibvirt final: public LibvirtConnection {
public:
  uint32_t resumes = 0;
  uint32_t refusals = 0;
  // Before there is a promise.
  bool refusesAtOnce = false;
  // The machine finds the disk full again so many times.
  uint32_t relapses = 0;
  kj::Maybe<DiskStall&> stall;

  kj::Promise<void> resume(kj::StringPtr name) override {
    CHECK(name == "demo");
    resumes++;
    if (refusals > 0) {
      refusals--;
      KJ_REQUIRE(!refusesAtOnce, "too many calls wait");
      return KJ_EXCEPTION(FAILED, "libvirt says no");
    }
    if (relapses > 0) {
      relapses--;
      KJ_ASSERT_NONNULL(stall).begin();
    }
    return kj::READY_NOW;
  }

  kj::Promise<LibvirtEvent> nextEvent() override { KJ_UNIMPLEMENTED("not in this test"); }
  kj::Promise<int> create(kj::StringPtr, kj::String, DiskPassphrase,
                          kj::Maybe<TurnListener&>) override {
    KJ_UNIMPLEMENTED("not in this test");
  }
  kj::Promise<int> restore(kj::StringPtr, kj::String, kj::String, DiskPassphrase,
                           kj::Maybe<TurnListener&>) override {
    KJ_UNIMPLEMENTED("not in this test");
  }
  kj::Promise<void> save(kj::StringPtr, kj::String) override {
    KJ_UNIMPLEMENTED("not in this test");
  }
  bool isCalled(kj::StringPtr) override { return false; }
  bool isIdle() override { return true; }
  kj::Promise<void> pause(kj::StringPtr) override { KJ_UNIMPLEMENTED("not in this test"); }
  kj::Promise<void> destroy(kj::StringPtr) override { KJ_UNIMPLEMENTED("not in this test"); }
  kj::Promise<kj::String> monitor(kj::StringPtr, kj::String) override {
    KJ_UNIMPLEMENTED("not in this test");
  }
  kj::Promise<kj::Array<LibvirtDomain>> list() override { KJ_UNIMPLEMENTED("not in this test"); }
  kj::Promise<kj::Array<LibvirtCpuTime>> cpuTimes() override {
    KJ_UNIMPLEMENTED("not in this test");
  }
};

class Witness final: public VmDriver::Events {
public:
  void vsockLost(kj::StringPtr) override {}
  void vsockRestored(kj::StringPtr) override {}
  void vsockNotRestored(kj::StringPtr) override {}
  void diskFull(kj::StringPtr) override { full++; }
  void diskFreed(kj::StringPtr) override { freed++; }
  uint32_t full = 0;
  uint32_t freed = 0;
};

// The file system of a disk that is not there has no room.
struct World {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  FakeLibvirt libvirt;
  Witness witness;
  kj::Maybe<VmDriver::Events&> listener = witness;
  char disk[32] = "/tmp/bothy-stall-XXXXXX";
  DiskRoom room{timer};
  DiskStall stall{timer, libvirt, room, listener, "demo", disk};

  World() {
    KJ_REQUIRE(mkdtemp(disk) != nullptr);
    rmdir(disk);
    libvirt.stall = stall;
  }
  ~World() { rmdir(disk); }

  void makeRoom() { KJ_SYSCALL(mkdir(disk, 0700)); }
  void pass(uint32_t seconds) {
    for (uint32_t i = 0; i < seconds; i++) {
      scope.poll();
      timer.advanceTo(timer.now() + 1 * kj::SECONDS);
    }
    scope.poll();
  }
};

TEST_CASE("a machine that stands still goes on when there is room, and both are told once") {
  World w;
  CHECK_FALSE(w.stall.isUnderWay());
  CHECK(w.stall.whenOver().poll(w.scope));
  w.stall.begin();
  w.stall.begin();
  auto over = w.stall.whenOver();
  // Not from within the call.
  CHECK(w.witness.full == 0);
  w.pass(100);
  CHECK(w.stall.isUnderWay());
  CHECK(w.witness.full == 1);
  CHECK(w.libvirt.resumes == 0);
  CHECK_FALSE(over.poll(w.scope));
  w.makeRoom();
  w.pass(2);
  CHECK_FALSE(w.stall.isUnderWay());
  CHECK(over.poll(w.scope));
  CHECK(w.libvirt.resumes == 1);
  CHECK(w.witness.freed == 1);
  w.pass(10);
  CHECK(w.libvirt.resumes == 1);
}

TEST_CASE("a disk that is full though its file system has room is no end of a stall") {
  World w;
  w.makeRoom();
  w.libvirt.relapses = 3;
  w.stall.begin();
  w.pass(6);
  CHECK(w.stall.isUnderWay());
  CHECK(w.witness.freed == 0);
  w.pass(2);
  CHECK_FALSE(w.stall.isUnderWay());
  CHECK(w.libvirt.resumes == 4);
  CHECK(w.witness.full == 1);
  CHECK(w.witness.freed == 1);
}

TEST_CASE("P28 a stall that is told of late, when the machine runs again, is over soon") {
  World w;
  w.makeRoom();
  w.stall.begin();
  w.pass(1);
  CHECK(w.libvirt.resumes == 1);
  w.stall.begin();
  w.pass(3);
  CHECK_FALSE(w.stall.isUnderWay());
  CHECK(w.witness.full == 1);
  CHECK(w.witness.freed == 1);
}

TEST_CASE("a libvirt that refuses is asked again") {
  World w;
  w.makeRoom();
  w.libvirt.refusals = 2;
  w.libvirt.refusesAtOnce = GENERATE(false, true);
  w.stall.begin();
  w.pass(4);
  CHECK(w.libvirt.resumes == 3);
  CHECK_FALSE(w.stall.isUnderWay());
}

TEST_CASE("a machine that is ended while it stands still is not run again") {
  World w;
  w.stall.begin();
  w.pass(1);
  auto over = w.stall.whenOver();
  w.stall.abandon();
  CHECK_FALSE(w.stall.isUnderWay());
  CHECK(over.poll(w.scope));
  w.makeRoom();
  w.pass(10);
  CHECK(w.libvirt.resumes == 0);
  CHECK(w.witness.freed == 0);
}

}  // namespace
}  // namespace bothy
