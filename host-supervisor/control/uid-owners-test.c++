#include "control/uid-owners.h"

#include <fcntl.h>
#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <kj/mutex.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

constexpr uid_t ALICE = 1001;
constexpr size_t MOST_WAITING = 4;

// Questions that the host was asked, and whether its answers wait.
struct Host {
  int asked = 0;
  bool hangs = false;
};
kj::MutexGuarded<Host> host;

// Every thousand ids above a hundred thousand are somebody's.
uid_t find(uid_t uid) {
  auto locked = host.lockExclusive();
  ++locked->asked;
  locked.wait([](const Host& h) { return !h.hangs; });
  return uid < 100000 ? uid : ALICE + (uid - 100000) / 1000;
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
  CHECK(w.asked() == 4);
  CHECK(w.ownerOf(100000) == ALICE);
  CHECK(w.asked() == 4);
  w.timer.advanceTo(w.timer.now() + OWNER_MEMORY);
  CHECK(w.ownerOf(100000) == ALICE);
  CHECK(w.asked() == 5);
  CHECK(w.ownerOf(0) == 0);
  CHECK(w.asked() == 5);
}

TEST_CASE("S02 where the host does not answer in time, what is known of a user id counts") {
  World w;
  CHECK(w.ownerOf(100000) == ALICE);
  w.timer.advanceTo(w.timer.now() + OWNER_MEMORY);
  host.lockExclusive()->hangs = true;
  auto old = w.owners.ownerOf(100000);
  auto unknown = w.owners.ownerOf(100001);
  CHECK_FALSE(old.poll(w.io.waitScope));
  w.timer.advanceTo(w.timer.now() + OWNER_LIMIT);
  CHECK(old.wait(w.io.waitScope) == ALICE);
  CHECK(unknown.wait(w.io.waitScope) == UIDS_UNKNOWN);
  // Nobody waits for the next while the host says nothing.
  CHECK(w.ownerOf(100000) == ALICE);
  CHECK(w.ownerOf(100001) == UIDS_UNKNOWN);
  host.lockExclusive()->hangs = false;
  w.timer.advanceTo(w.timer.now() + OWNER_FAULT_MEMORY);
  CHECK(w.ownerOf(100001) == ALICE);
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
  for (uid_t i = 0; i < MAX_KNOWN_OWNERS; i++) w.ownerOf(100000 + i);
  const auto asked = w.asked();
  for (uid_t i = 1; i < MAX_KNOWN_OWNERS; i++) w.ownerOf(100000 + i);
  CHECK(w.asked() == asked);
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
  CHECK(SubordinateUids::askHost(700000) == DAEMON);
  CHECK(SubordinateUids::askHost(765535) == DAEMON);
  CHECK(SubordinateUids::askHost(765536) == UIDS_OF_ROOT);
  CHECK(SubordinateUids::askHost(800001) == 4321);
  CHECK(SubordinateUids::askHost(900000) == 4321);
  CHECK(SubordinateUids::askHost(DAEMON) == DAEMON);
  // Nobody can be named for it.
  CHECK(SubordinateUids::askHost(950000) == 950000);
}

}  // namespace
}  // namespace bothy
