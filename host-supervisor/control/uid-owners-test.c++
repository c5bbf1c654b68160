#include "control/uid-owners.h"

#include <fcntl.h>
#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <kj/mutex.h>
#include <kj/vector.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr uid_t ALICE = 1001;
constexpr uid_t BOB = 50000;
constexpr size_t MOST_WAITING = 16;
constexpr uid_t FIRST_SUBORDINATE = 100000;
constexpr uid_t GIVEN = 1000;

// Questions that the host was asked, and whether its answers wait.
struct Host {
  int asked = 0;
  bool hangs = false;
  uid_t given = GIVEN;
};
// Never destroyed: a thread that hung in a question may use it until the process is gone.
kj::MutexGuarded<Host>& host = *new kj::MutexGuarded<Host>();

// Every so many ids from the first on are somebody's.
OwnedUids find(uid_t uid) {
  auto locked = host.lockExclusive();
  ++locked->asked;
  locked.wait([](const Host& h) { return !h.hangs; });
  if (uid < FIRST_SUBORDINATE) return {uid, uid, uid};
  const uid_t number = (uid - FIRST_SUBORDINATE) / locked->given;
  const uid_t first = FIRST_SUBORDINATE + number * locked->given;
  return {ALICE + number, first, first + locked->given - 1};
}

struct World {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  SubordinateUids owners{timer, MOST_WAITING, find};

  World() { *host.lockExclusive() = {}; }
  ~World() { host.lockExclusive()->hangs = false; }
  uid_t ownerOf(uid_t uid) { return owners.ownerOf(uid).wait(io.waitScope); }
  int asked() { return host.lockExclusive()->asked; }
};

TEST_CASE("S02 a subordinate user id is its owner's, and the host is not asked again soon") {
  World w;
  CHECK(w.ownerOf(100000) == ALICE);
  CHECK(w.ownerOf(100999) == ALICE);
  CHECK(w.ownerOf(101000) == ALICE + 1);
  CHECK(w.ownerOf(ALICE) == ALICE);
  // One question for all that were given together.
  CHECK(w.asked() == 3);
  CHECK(w.ownerOf(100000) == ALICE);
  CHECK(w.asked() == 3);
  w.timer.advanceTo(w.timer.now() + OWNER_MEMORY);
  CHECK(w.ownerOf(100000) == ALICE);
  CHECK(w.asked() == 4);
  CHECK(w.ownerOf(0) == 0);
  CHECK(w.asked() == 4);
}

TEST_CASE("S02 where the host does not answer in time, what is known of a user id counts") {
  World w;
  CHECK(w.ownerOf(100000) == ALICE);
  w.timer.advanceTo(w.timer.now() + OWNER_MEMORY);
  host.lockExclusive()->hangs = true;
  auto old = w.owners.ownerOf(100000);
  auto unknown = w.owners.ownerOf(101000);
  CHECK_FALSE(old.poll(w.io.waitScope));
  w.timer.advanceTo(w.timer.now() + OWNER_LIMIT);
  CHECK(old.wait(w.io.waitScope) == ALICE);
  CHECK(unknown.wait(w.io.waitScope) == UIDS_UNKNOWN);
  // Nobody waits for the next while the host says nothing.
  CHECK(w.ownerOf(100000) == ALICE);
  CHECK(w.ownerOf(101000) == UIDS_UNKNOWN);
  host.lockExclusive()->hangs = false;
  w.timer.advanceTo(w.timer.now() + OWNER_FAULT_MEMORY);
  CHECK(w.ownerOf(101000) == ALICE + 1);
}

TEST_CASE("S02 only so many wait for the host, and those of one user id ask once") {
  World w;
  host.lockExclusive()->hangs = true;
  kj::Vector<kj::Promise<uid_t>> waiting;
  for (size_t i = 0; i < MOST_WAITING; i++) waiting.add(w.owners.ownerOf(100000));
  CHECK(w.ownerOf(100001) == UIDS_UNKNOWN);
  CHECK(w.ownerOf(0) == 0);
  host.lockExclusive()->hangs = false;
  for (auto& one : waiting) CHECK(one.wait(w.io.waitScope) == ALICE);
  CHECK(w.asked() == 1);
  CHECK(w.ownerOf(100001) == ALICE);
}

TEST_CASE("S02 many user ids leave what is known of others") {
  World w;
  CHECK(w.ownerOf(ALICE) == ALICE);
  w.timer.advanceTo(w.timer.now() + OWNER_MEMORY / 2);
  for (uid_t i = 0; i < MAX_KNOWN_OWNERS; i++) w.ownerOf(2000 + i);
  const auto asked = w.asked();
  for (uid_t i = 1; i < MAX_KNOWN_OWNERS; i++) w.ownerOf(2000 + i);
  CHECK(w.asked() == asked);
}

TEST_CASE("S02 a user with many subordinate user ids leaves others their turn with the host") {
  World w;
  CHECK(w.ownerOf(100000) == ALICE);
  w.timer.advanceTo(w.timer.now() + OWNER_MEMORY);
  const auto asked = w.asked();
  host.lockExclusive()->hangs = true;
  kj::Vector<kj::Promise<uid_t>> hers;
  for (uid_t i = 0; i < GIVEN; i++) hers.add(w.owners.ownerOf(FIRST_SUBORDINATE + i));
  size_t waiting = 0;
  for (auto& one : hers) {
    if (!one.poll(w.io.waitScope)) ++waiting;
  }
  CHECK(waiting == MOST_WAITING / OWNER_WAITING_SHARE);
  auto others = w.owners.ownerOf(BOB);
  CHECK_FALSE(others.poll(w.io.waitScope));
  host.lockExclusive()->hangs = false;
  CHECK(others.wait(w.io.waitScope) == BOB);
  for (auto& one : hers) CHECK(one.wait(w.io.waitScope) == ALICE);
  CHECK(w.asked() == asked + 2);
}

TEST_CASE("S02 those of one range who came before any was known are told with the first") {
  World w;
  host.lockExclusive()->hangs = true;
  kj::Vector<kj::Promise<uid_t>> hers;
  for (uid_t i = 0; i < MOST_WAITING; i++) hers.add(w.owners.ownerOf(FIRST_SUBORDINATE + i));
  CHECK_FALSE(hers[0].poll(w.io.waitScope));
  host.lockExclusive()->hangs = false;
  for (auto& one : hers) CHECK(one.wait(w.io.waitScope) == ALICE);
  // All have given their places back.
  host.lockExclusive()->hangs = true;
  kj::Vector<kj::Promise<uid_t>> others;
  for (uid_t i = 0; i < MOST_WAITING; i++) others.add(w.owners.ownerOf(BOB + i));
  for (auto& one : others) CHECK_FALSE(one.poll(w.io.waitScope));
}

TEST_CASE("S02 who is learned to be nobody's drives out nobody who is known") {
  World w;
  CHECK(w.ownerOf(ALICE) == ALICE);
  w.timer.advanceTo(w.timer.now() + OWNER_MEMORY);
  host.lockExclusive()->hangs = true;
  for (uid_t i = 0; i < MAX_KNOWN_OWNERS + MOST_WAITING;) {
    kj::Vector<kj::Promise<uid_t>> unknown;
    for (size_t k = 0; k < MOST_WAITING; ++k) unknown.add(w.owners.ownerOf(200000 + i++));
    w.io.waitScope.poll();
    w.timer.advanceTo(w.timer.now() + OWNER_LIMIT);
    for (auto& one : unknown) CHECK(one.wait(w.io.waitScope) == UIDS_UNKNOWN);
  }
  auto hers = w.owners.ownerOf(ALICE);
  w.io.waitScope.poll();
  w.timer.advanceTo(w.timer.now() + OWNER_LIMIT);
  CHECK(hers.wait(w.io.waitScope) == ALICE);
}

TEST_CASE("S02 of ids that are given to another now, each counts as the new owner's") {
  World w;
  CHECK(w.ownerOf(100000) == ALICE);
  w.timer.advanceTo(w.timer.now() + OWNER_MEMORY);
  host.lockExclusive()->hangs = true;
  // Both wait for one answer, which does not hold for the second.
  auto first = w.owners.ownerOf(100000), second = w.owners.ownerOf(100999);
  CHECK_FALSE(first.poll(w.io.waitScope));
  host.lockExclusive()->given = GIVEN / 2;
  host.lockExclusive()->hangs = false;
  CHECK(first.wait(w.io.waitScope) == ALICE);
  CHECK(second.wait(w.io.waitScope) == ALICE + 1);
}

TEST_CASE("S02 the host's list of subordinate user ids is understood") {
  if (geteuid() != 0) SKIP("needs to mount");
  if (access("/etc/subuid", F_OK) != 0) SKIP("there is no list in whose place another can be");
  // Whatever is mounted is gone with this process.
  if (unshare(CLONE_NEWNS) < 0) SKIP("no mount namespace of its own here");
  KJ_SYSCALL(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr));
  char name[] = "/tmp/bothy-test-XXXXXX";
  int fd;
  KJ_SYSCALL(fd = mkostemp(name, O_CLOEXEC));
  kj::AutoCloseFd file(fd);
  KJ_DEFER(unlink(name));
  const auto list =
      "daemon:700000:65536\nroot:765536:10\n4321:800000:10\nroot:900000:10\n"
      "4321:900000:10\nno-such-user:950000:10\n"_kj;
  kj::FdOutputStream(file.get()).write(list.begin(), list.size());
  KJ_SYSCALL(mount(name, "/etc/subuid", nullptr, MS_BIND, nullptr));
  KJ_DEFER(umount2("/etc/subuid", MNT_DETACH));
  constexpr uid_t DAEMON = 1;
  auto check = [](uid_t uid, OwnedUids expected) {
    INFO(uid);
    const auto found = SubordinateUids::askHost(uid);
    CHECK(found.owner == expected.owner);
    CHECK(found.first == expected.first);
    CHECK(found.last == expected.last);
  };
  check(700000, {DAEMON, 700000, 765535});
  check(765535, {DAEMON, 700000, 765535});
  check(765536, {UIDS_OF_ROOT, 765536, 765545});
  check(800001, {4321, 800000, 800009});
  check(900000, {4321, 900000, 900009});
  check(DAEMON, {DAEMON, DAEMON, DAEMON});
  // Nobody can be named for it.
  check(950000, {950000, 950000, 950000});
}

}  // namespace
}  // namespace bothy
