// Machines whose QEMU stands still.
#include <signal.h>
#include <string.h>

#include <kj/exception.h>

#include "support/host-program.h"
#include "vm/testing/driver-fixture.h"

namespace bothy {
namespace {

// Counts the messages that say that a call of libvirt's hangs.
class HangWatch final: public kj::ExceptionCallback {
public:
  void logMessage(kj::LogSeverity severity, const char* file, int line, int contextDepth,
                  kj::String&& text) override {
    if (strstr(text.cStr(), "its thread is left to it") != nullptr) hangs++;
    next.logMessage(severity, file, line, contextDepth, kj::mv(text));
  }
  int hangs = 0;
};

// Has a monitor command under way for the machine, which does not answer.
void makeCallHang(Bed& b, HangWatch& watch, kj::StringPtr name) {
  int before = watch.hangs;
  kill(b.record(name).vsockDevice.pid, SIGKILL);
  while (watch.hangs == before) {
    b.bed.io.provider->getTimer().afterDelay(100 * kj::MILLISECONDS).wait(b.scope);
  }
}

TEST_CASE(
    "R20 a machine whose QEMU stands still keeps no other one from its life, and goes on when "
    "QEMU does") {
  NEEDS_ROOT();
  Bed b;
  if (b.bed.driver->abilities().vsock == HostAbilities::Vsock::KERNEL)
    SKIP("no call is made of a machine that runs");
  HangWatch watch;
  auto still = b.start("still", 1);
  auto other = b.start("other", 2);
  CHECK(b.bed.ask(*still, "hello") == "hello");
  CHECK(b.bed.ask(*other, "hello") == "hello");
  stopAndWait(still->qemuPid());

  // While a call of its waits for an answer, and is not given up yet, others have theirs.
  const int lost = b.witness.lost;
  kill(b.record("still").vsockDevice.pid, SIGKILL);
  while (b.witness.lost == lost) {
    b.bed.io.provider->getTimer().afterDelay(10 * kj::MILLISECONDS).wait(b.scope);
  }
  auto othersRestored = b.witness.onRestored();
  kill(b.record("other").vsockDevice.pid, SIGKILL);
  b.within(60 * kj::SECONDS, kj::mv(othersRestored));
  CHECK(b.bed.ask(*other, "again") == "again");
  CHECK(watch.hangs == 0);
  while (watch.hangs == 0) {
    b.bed.io.provider->getTimer().afterDelay(100 * kj::MILLISECONDS).wait(b.scope);
  }

  // One that runs, and one that starts and ends.
  CHECK(b.bed.ask(*other, "hello") == "hello");
  other->destroy().wait(b.scope);
  b.checkNothingLeft("other", 2);
  auto fresh = b.start("fresh", 3);
  CHECK(b.bed.ask(*fresh, "hello") == "hello");
  b.bed.tell(*fresh, "!off");
  CHECK(b.endOf(*fresh) == VmEnd::POWERED_OFF);
  b.checkNothingLeft("fresh", 3);
  CHECK(watch.hangs == 1);

  auto restored = b.witness.onRestored();
  kill(still->qemuPid(), SIGCONT);
  b.within(60 * kj::SECONDS, kj::mv(restored));
  CHECK(b.bed.ask(*still, "again") == "again");
  still->destroy().wait(b.scope);
  b.checkNothingLeft("still", 1);
  CHECK(watch.hangs == 1);
}

TEST_CASE("P28 R20 a machine whose QEMU stands still, and libvirt with it, can be ended") {
  NEEDS_ROOT();
  Bed b;
  HangWatch watch;
  auto still = b.start("still");
  CHECK(b.bed.ask(*still, "hello") == "hello");
  stopAndWait(still->qemuPid());
  if (b.bed.driver->abilities().vsock == HostAbilities::Vsock::VHOST_USER) {
    makeCallHang(b, watch, "still");
  }
  b.within(30 * kj::SECONDS, still->destroy());
  CHECK(b.endOf(*still) == VmEnd::DESTROYED);
  b.checkNothingLeft("still");
  auto again = b.start("still");
  CHECK(b.bed.ask(*again, "hello") == "hello");
}

// Starts the machine with number 1 and makes its QEMU stand still while libvirt waits for it.
kj::Promise<kj::Own<RunningVm>> startStill(Bed& b) {
  auto start = b.bed.driver->start(b.bed.spec("still", 1));
  while (Bed::signalAll(BED_FIRST_UID + 1, SIGSTOP) == 0) {
    b.bed.io.provider->getTimer().afterDelay(1 * kj::MILLISECONDS).wait(b.scope);
  }
  return start;
}

TEST_CASE("P30 R20 a QEMU that stands still at its start fails that start, and others start") {
  NEEDS_ROOT();
  Bed b;
  HangWatch watch;
  auto start = startStill(b).then([](auto) { return kj::str("started"); },
                                  [](kj::Exception&& e) {
                                    CHECK(e.getType() == kj::Exception::Type::OVERLOADED);
                                    return kj::str(e.getDescription());
                                  });
  // It is started while libvirt still waits for the first.
  auto other = b.within(60 * kj::SECONDS, b.bed.driver->start(b.bed.spec("other", 2)));
  CHECK(watch.hangs == 0);
  CHECK_FALSE(start.poll(b.scope));
  CHECK(Bed::processesOf(BED_FIRST_UID + 1) > 0);
  CHECK(b.bed.ask(*other, "hello") == "hello");
  CHECK(b.within(60 * kj::SECONDS, kj::mv(start)) ==
        "libvirt did not answer within 40 s: start of still");
  b.checkNothingLeft("still", 1);
  auto again = b.start("still");
  CHECK(b.bed.ask(*again, "hello") == "hello");
}

TEST_CASE("R20 a start that is dropped while its QEMU stands still leaves nothing") {
  NEEDS_ROOT();
  Bed b;
  {
    auto dropped = startStill(b);
  }
  b.within(60 * kj::SECONDS, b.bed.driver->remove("still"));
  b.checkNothingLeft("still", 1);
  auto again = b.start("still");
  CHECK(b.bed.ask(*again, "hello") == "hello");
}

}  // namespace
}  // namespace bothy
