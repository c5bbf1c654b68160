#include "process/hold-breaker.h"

#include <kj/thread.h>

#include <catch2/catch_test_macros.hpp>

#include "process/marked-fd.h"
#include "process/watched-world.h"

namespace bothy {
namespace {

// Has what lasts ended as the watcher does, without waiting for a tick.
struct Breaking: public WatchedWorld {
  explicit Breaking(kj::Duration releaseLimit = 0 * kj::SECONDS) : releaseLimit(releaseLimit) {}
  const kj::Duration releaseLimit;
  kj::Maybe<kj::Own<HoldBreaker>> breaker;

  // Up to a tick, from the one after those before.
  void lasts(uint ticks, uint first = 1) {
    if (breaker == nullptr) {
      auto given = options();
      given.releaseLimit = releaseLimit;
      breaker = kj::heap<HoldBreaker>(touches, kj::mv(given));
    }
    const auto touch = touches.state();
    for (uint i = first; i <= ticks; i++) KJ_ASSERT_NONNULL(breaker)->act(touch, i);
  }
};

#define NEEDS_ROOT() \
  if (geteuid() != 0) SKIP("needs files of others")

TEST_CASE("S42 a touch that lasts ends its program, then more, and what is least harmful first") {
  NEEDS_ROOT();
  Breaking w;
  w.connect("40", ALICE, "1\n");
  w.connect("41", ALICE, "0\n");
  w.connect("42", BOB, "1\n");
  w.connect("43", ROOT, "1\n");
  auto files = kj::arr(w.file("group"), w.file("another"), w.file("bobs"));
  const auto mark = w.touches.add(ALICE, files[0]);
  w.touches.add(ALICE, files[1]);
  w.touches.add(BOB, files[2]);
  Touch touch(mark);
  w.lasts(HoldBreaker::ENDS_PROGRAM_TICKS - 1);
  CHECK(w.text("log") == "");
  w.lasts(HoldBreaker::ABORTS_ALL_TICKS - 1, HoldBreaker::ENDS_PROGRAM_TICKS);
  CHECK(
      w.says("user 3001: the program is ended, and what FUSE servers of the user do not answer "
             "(1 control groups, 1 FUSE"));
  CHECK(w.isWritten("group"));
  CHECK_FALSE(w.isWritten("another"));
  CHECK(w.isAborted("40"));
  CHECK_FALSE(w.isAborted("41"));
  CHECK_FALSE(w.isAborted("42"));
  w.lasts(HoldBreaker::ENDS_USER_TICKS - 1, HoldBreaker::ABORTS_ALL_TICKS);
  CHECK(w.says("user 3001: what FUSE servers of users do not answer is aborted"));
  CHECK(w.isAborted("42"));
  CHECK_FALSE(w.isWritten("another"));
  w.lasts(HoldBreaker::ENDS_ALL_TICKS - 1, HoldBreaker::ENDS_USER_TICKS);
  CHECK(w.says("user 3001: all programs of the user are ended (2 control groups"));
  CHECK(w.isWritten("another"));
  CHECK(w.touches.isRefused(ALICE));
  CHECK_FALSE(w.isWritten("bobs"));
  CHECK_FALSE(w.isAborted("43"));
  CHECK(w.text("all") == "");
  w.lasts(HoldBreaker::ENDS_ALL_TICKS, HoldBreaker::ENDS_ALL_TICKS);
  CHECK(w.says("somebody: all programs are ended"));
  CHECK(w.isAborted("43"));
  CHECK(w.isWritten("all"));
  CHECK(w.isWritten("reserve"));
}

TEST_CASE("S42 who holds up the loop again loses all programs, and starts none for a minute") {
  Breaking w;
  auto first = w.file("first"), second = w.file("second"), bobs = w.file("bobs");
  const auto mark = w.touches.add(ALICE, first);
  w.touches.add(ALICE, second);
  const auto bobsMark = w.touches.add(BOB, bobs);
  {
    Touch touch(mark);
    w.lasts(HoldBreaker::ENDS_PROGRAM_TICKS);
  }
  CHECK(w.isWritten("first"));
  CHECK_FALSE(w.isWritten("second"));
  CHECK_FALSE(w.touches.isRefused(ALICE));
  // Another user's does not make it the first one again.
  {
    Touch touch(bobsMark);
    w.lasts(HoldBreaker::ENDS_PROGRAM_TICKS);
  }
  // Of a program whose group is gone.
  w.touches.remove(mark);
  w.touches.retire(kj::mv(first));
  {
    Touch touch(mark);
    w.lasts(HoldBreaker::ENDS_PROGRAM_TICKS);
  }
  CHECK(w.says("all programs of the user, who has done so before, are ended (1 control groups"));
  CHECK(w.isWritten("second"));
  CHECK(w.touches.isRefused(ALICE));
  CHECK_FALSE(w.touches.isRefused(BOB));
}

TEST_CASE("S42 root's other programs are not ended for what somebody does within one of them") {
  Breaking w;
  auto first = w.file("first"), second = w.file("second");
  const auto mark = w.touches.add(ROOT, first);
  w.touches.add(ROOT, second);
  for (uint i = 0; i < 2; i++) {
    Touch touch(mark);
    w.lasts(HoldBreaker::ENDS_ALL_TICKS - 1);
  }
  CHECK(w.isWritten("first"));
  CHECK_FALSE(w.isWritten("second"));
  CHECK_FALSE(w.touches.isRefused(ROOT));
}

TEST_CASE("S42 what waits for a FUSE only when another was aborted is found by the next look") {
  NEEDS_ROOT();
  for (bool isAnybodys : {true, false}) {
    Breaking w;
    w.connect("40", ALICE, "1\n");
    w.connect("41", ALICE, "0\n");
    auto file = w.file("group");
    const auto mark = w.touches.add(ALICE, file);
    Touch touch(isAnybodys ? w.touches.markOfAnybody() : mark);
    w.lasts(HoldBreaker::ENDS_PROGRAM_TICKS);
    CHECK(w.isAborted("40"));
    CHECK_FALSE(w.isAborted("41"));
    w.waits("41", "1\n");
    w.lasts(HoldBreaker::ENDS_PROGRAM_TICKS + 1, HoldBreaker::ENDS_PROGRAM_TICKS + 1);
    CHECK(w.isAborted("41"));
  }
}

TEST_CASE("S42 what everybody may hold up costs others no more than lets the loop go on") {
  NEEDS_ROOT();
  constexpr uid_t SUBUID = 100'000;
  constexpr uint MANY = 40;
  // Whose it was is known at once, however slow the machine is.
  Breaking w(1 * kj::HOURS);
  w.connect("40", ALICE, "1\n");
  w.connect("41", BOB, "1\n");
  for (uint i = 0; i < MANY; i++) w.connect(kj::str(100 + i), SUBUID, "1\n");
  // In whatever order they are listed.
  w.connect("200", ALICE, "1\n");
  auto alices = w.file("alices"), bobs = w.file("bobs");
  w.touches.add(ALICE, alices);
  w.touches.add(BOB, bobs);
  auto holdUntil = [&](kj::StringPtr aborted) {
    auto touch = kj::heap<Touch>(w.touches.markOfAnybody());
    // As the kernel does for who lists a directory.
    kj::Thread kernel([&]() {
      until([&]() { return w.isAborted(aborted); });
      touch = nullptr;
    });
    w.lasts(HoldBreaker::ENDS_PROGRAM_TICKS);
  };
  // All of one that has no programs here, and then nobody else's.
  holdUntil(kj::str(100 + MANY - 1));
  for (auto name : {"40"_kj, "41"_kj, "200"_kj}) CHECK_FALSE(w.isAborted(name));
  w.waits("200", "0\n");
  for (uint i = 0; i < MANY; i++) w.waits(kj::str(100 + i), "0\n");
  // Of these two the first is not known, and one of them is left alone.
  w.waits("41", "0\n");
  holdUntil("40");
  CHECK(w.isAborted("40"));
  CHECK_FALSE(w.isAborted("41"));
  // It is no proof.
  CHECK_FALSE(w.isWritten("alices"));
  CHECK_FALSE(w.isWritten("bobs"));
}

TEST_CASE("S42 a pass over many users' FUSE connections waits no longer than its limit") {
  NEEDS_ROOT();
  Breaking w(HoldBreaker::PASS_LIMIT);
  constexpr uint USERS = 5;
  auto file = w.file("group");
  for (uint i = 0; i < USERS; i++) {
    w.connect(kj::str(40 + i), ALICE + i, "1\n");
    w.touches.add(ALICE + i, file);
  }
  Touch touch(w.touches.markOfAnybody());
  auto& clock = kj::systemPreciseMonotonicClock();
  const auto began = clock.now();
  w.lasts(HoldBreaker::ENDS_PROGRAM_TICKS);
  // The first wait takes all of it.
  CHECK(clock.now() - began < (USERS - 1) * HoldBreaker::PASS_LIMIT);
  for (uint i = 0; i < USERS; i++) CHECK(w.isAborted(kj::str(40 + i)));
}

TEST_CASE("S42 a directory that everybody lists costs nobody a program but at last") {
  NEEDS_ROOT();
  Breaking w;
  w.connect("40", ALICE, "1\n");
  w.connect("43", ROOT, "1\n");
  auto alices = w.file("alices");
  w.touches.add(ALICE, alices);
  Touch touch(w.touches.markOfAnybody());
  w.lasts(HoldBreaker::ENDS_ALL_TICKS - 1);
  CHECK(w.isAborted("40"));
  CHECK_FALSE(w.isAborted("43"));
  CHECK(w.text("all") == "");
  w.lasts(HoldBreaker::ENDS_ALL_TICKS, HoldBreaker::ENDS_ALL_TICKS);
  CHECK(w.isWritten("all"));
  CHECK_FALSE(w.isWritten("alices"));
}

TEST_CASE("S42 what cannot be looked at is nobody's who waits") {
  NEEDS_ROOT();
  Breaking w;
  w.connect("40", ALICE, "1\n");
  REQUIRE(unlink(kj::str(w.path, "/fuse/40/waiting").cStr()) == 0);
  Touch touch(w.touches.markOf(ALICE));
  w.lasts(HoldBreaker::ABORTS_ALL_TICKS);
  CHECK_FALSE(w.isAborted("40"));
  // Nor is it said that a program was ended.
  CHECK(w.says("user 3001: what FUSE servers of the user do not answer is aborted (0 control"));
}

TEST_CASE("a program's mark names nobody else's group when it is gone") {
  WatchedWorld w;
  auto first = w.file("first"), second = w.file("second");
  const auto mark = w.touches.add(ALICE, first);
  w.touches.remove(mark);
  w.touches.add(ALICE, second);
  Touch touch(mark);
  CHECK(w.touches.killGroupOf(w.touches.state()) == 0);
  CHECK(w.touches.killGroupsOf(BOB) == 0);
  CHECK(w.touches.killGroupsOf(ALICE) == 1);
  CHECK(w.isWritten("second"));
}

TEST_CASE("S42 what a program shares with the loop is closed in a touch, however it is dropped") {
  WatchedWorld w;
  auto touched = [&]() { return w.touches.state().number; };
  kj::AutoCloseFd plain = w.file("shared");
  const int number = plain.get();
  kj::Maybe<MarkedFd> first = MarkedFd(kj::mv(plain), w.touches.markOf(ALICE));
  MarkedFd second = kj::mv(KJ_ASSERT_NONNULL(first));
  first = nullptr;
  const auto before = touched();
  CHECK(before == 0);
  CHECK(fcntl(number, F_GETFD) >= 0);
  second = MarkedFd();
  CHECK(touched() == before + 2);
  CHECK(fcntl(number, F_GETFD) < 0);
  // Who takes it closes it himself.
  CHECK(MarkedFd(w.file("taken"), w.touches.markOf(ALICE)).take().get() >= 0);
  CHECK(touched() == before + 2);
}

}  // namespace
}  // namespace bothy
