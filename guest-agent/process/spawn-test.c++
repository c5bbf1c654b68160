#include "process/spawn.h"

#include <fcntl.h>
#include <kj/async-io.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include "process/test-hanging-directory.h"
#include "process/test-world.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

struct Spawned {
  kj::AsyncIoContext io = setupTestIo();
  LoopTouches touches;
  Reaper reaper{io.unixEventPort, touches.markOfAnybody()};
  Spawner spawner{io.unixEventPort, reaper};
  kj::AutoCloseFd null{open("/dev/null", O_RDWR | O_CLOEXEC)};

  SpawnRequest request(kj::StringPtr program, kj::Array<kj::String> arguments) {
    SpawnRequest result = {
        .programs = searchPath(program, "/usr/bin:/bin"),
        .arguments = kj::mv(arguments),
        .environment = kj::heapArray<kj::String>(0),
        .workingDirectory = kj::str("/"),
        .credentials = nullptr,
        .standardFds = {null.get(), null.get(), null.get()},
        .cgroupFd = nullptr,
    };
    return result;
  }
  kj::OneOf<SpawnedProcess, SpawnFailure> spawn(SpawnRequest request) {
    return spawner.spawn(kj::mv(request)).wait(io.waitScope);
  }
  ExitStatus run(SpawnRequest request) {
    auto outcome = spawn(kj::mv(request));
    REQUIRE(outcome.is<SpawnedProcess>());
    return outcome.get<SpawnedProcess>().exit.wait(io.waitScope);
  }
  kj::Array<kj::String> shell(kj::StringPtr script) {
    return kj::arr(kj::str("sh"), kj::str("-c"), kj::str(script));
  }
};

TEST_CASE("a program's exit code is told") {
  Spawned world;
  CHECK(world.run(world.request("sh", world.shell("exit 7"))) ==
        ExitStatus{ExitStatus::Kind::EXITED, 7});
}

TEST_CASE(
    "S42 a child is collected in a touch, since the kernel may wait there for a file system") {
  Spawned world;
  CHECK(world.run(world.request("sh", world.shell("exit 0"))).number == 0);
  CHECK(world.touches.state().number > 0);
  CHECK_FALSE(world.touches.state().isTouch());
}

TEST_CASE("a program that a signal ends is told as killed by it") {
  Spawned world;
  CHECK(world.run(world.request("sh", world.shell("kill -TERM $$"))) ==
        ExitStatus{ExitStatus::Kind::KILLED, SIGTERM});
}

TEST_CASE("a program that is nowhere in PATH is a failure of execute with ENOENT") {
  Spawned world;
  auto outcome = world.spawn(world.request("no-such-program", world.shell("")));
  REQUIRE(outcome.is<SpawnFailure>());
  CHECK(outcome.get<SpawnFailure>().stage == SpawnFailure::Stage::EXECUTE);
  CHECK(outcome.get<SpawnFailure>().errorNumber == ENOENT);
}

TEST_CASE("a missing working directory is a failure of that stage") {
  Spawned world;
  auto request = world.request("sh", world.shell("exit 0"));
  request.workingDirectory = kj::str("/no/such/directory");
  auto outcome = world.spawn(kj::mv(request));
  REQUIRE(outcome.is<SpawnFailure>());
  CHECK(outcome.get<SpawnFailure>().stage == SpawnFailure::Stage::WORKING_DIRECTORY);
  CHECK(outcome.get<SpawnFailure>().errorNumber == ENOENT);
}

TEST_CASE("S41 a program is leader of a session of its own") {
  Spawned world;
  // Fields 1 and 6 of /proc/PID/stat: pid and session.
  CHECK(world.run(world.request(
            "sh", world.shell("read -r pid name state parent group session rest < /proc/$$/stat;"
                              "test $pid = $session"))) == ExitStatus{ExitStatus::Kind::EXITED, 0});
}

TEST_CASE("a program has no fd of the agent's, no ignored and no blocked signal") {
  Spawned world;
  int leak = open("/dev/null", O_RDONLY);  // not close-on-exec
  REQUIRE(leak >= 3);
  auto status = world.run(world.request(
      "sh", world.shell(kj::str("test ! -e /proc/$$/fd/", leak,
                                " && grep -q '^SigIgn:.0000000000000000' /proc/self/status"
                                " && grep -q '^SigBlk:.0000000000000000' /proc/self/status"))));
  close(leak);
  CHECK(status == ExitStatus{ExitStatus::Kind::EXITED, 0});
}

TEST_CASE("a start that is dropped leaves no process") {
  Spawned world;
  {
    auto dropped =
        world.spawner.spawn(world.request("sleep", kj::arr(kj::str("sleep"), kj::str("1000"))));
  }
  world.reaper.onChildless().wait(world.io.waitScope);
}

TEST_CASE("a hundred starts at once all end") {
  Spawned world;
  kj::Vector<kj::Promise<kj::OneOf<SpawnedProcess, SpawnFailure>>> starts;
  for (int i = 0; i < 100; i++) {
    starts.add(world.spawner.spawn(world.request("true", kj::arr(kj::str("true")))));
  }
  for (auto& start : starts) {
    auto outcome = start.wait(world.io.waitScope);
    REQUIRE(outcome.is<SpawnedProcess>());
    CHECK(outcome.get<SpawnedProcess>().exit.wait(world.io.waitScope) ==
          ExitStatus{ExitStatus::Kind::EXITED, 0});
  }
}

TEST_CASE("a start that hangs holds nothing open of what the agent has") {
  Spawned world;
  HangingDirectory hanging;
  if (!hanging.isMounted) SKIP("no FUSE file system can be mounted here");
  int ends[2];
  KJ_SYSCALL(pipe2(ends, O_CLOEXEC));
  kj::AutoCloseFd readEnd(ends[0]), writeEnd(ends[1]);
  auto request = world.request("true", kj::arr(kj::str("true")));
  request.workingDirectory = kj::str(hanging.path);
  auto hung = world.spawner.spawn(kj::mv(request));
  writeEnd = nullptr;
  constexpr int LIMIT_MILLIS = 10'000;
  struct pollfd end = {readEnd, POLLIN, 0};
  REQUIRE(poll(&end, 1, LIMIT_MILLIS) == 1);
  CHECK((end.revents & POLLHUP) != 0);
  CHECK_FALSE(hung.poll(world.io.waitScope));
  hanging.device = nullptr;
  auto outcome = hung.wait(world.io.waitScope);
  REQUIRE(outcome.is<SpawnFailure>());
  // It may be tried elsewhere.
  auto again = kj::mv(KJ_REQUIRE_NONNULL(outcome.get<SpawnFailure>().request));
  again.workingDirectory = kj::str("/");
  for (int& fd : again.standardFds) fd = world.null;
  CHECK(world.run(kj::mv(again)) == ExitStatus{ExitStatus::Kind::EXITED, 0});
}

// Starts of several users, each with the largest text that a client may send.
struct LargeStarts {
  Spawned world;
  HangingDirectory hanging;
  using Outcome = kj::OneOf<SpawnedProcess, SpawnFailure>;
  kj::Vector<kj::Promise<Outcome>> hung;

  static constexpr uint64_t TEXT_BYTES = rpc::MAX_ARGUMENT_BYTES - 64;
  static constexpr uid_t ALICE = 3001;
  static constexpr uid_t BOB = 3002;
  static constexpr uid_t CAROL = 3003;

  kj::Promise<Outcome> start(kj::StringPtr directory, uid_t user) {
    auto request = world.request("true", kj::arr(kj::str("true"), kj::str(kj::repeat('x', 16))));
    request.environment = kj::arr(kj::str(kj::repeat('x', TEXT_BYTES)));
    request.workingDirectory = kj::str(directory);
    request.credentials = SpawnRequest::Credentials{user, user, nullptr};
    return world.spawner.spawn(kj::mv(request));
  }
  // Whether it hangs.
  bool hang(uid_t user) {
    auto started = start(hanging.path, user);
    if (started.poll(world.io.waitScope)) return false;
    hung.add(kj::mv(started));
    return true;
  }
  bool isRefused(uid_t user) {
    auto outcome = start("/", user).wait(world.io.waitScope);
    return outcome.get<SpawnFailure>().stage == SpawnFailure::Stage::MEMORY;
  }
};

TEST_CASE("S42 starts that hang hold so much memory together, and one more is refused") {
  LargeStarts w;
  if (!w.hanging.isMounted) SKIP("no FUSE file system can be mounted here");
  if (geteuid() != 0) SKIP("only root starts programs of others");
  auto user = w.ALICE;
  while (w.hang(user)) ++user;
  CHECK(w.hung.size() == (MAX_STARTING_BYTES - 1) / rpc::MAX_ARGUMENT_BYTES);
  CHECK(w.isRefused(user));
  // What is small starts beside them.
  CHECK(w.world.run(w.world.request("true", kj::arr(kj::str("true")))) ==
        ExitStatus{ExitStatus::Kind::EXITED, 0});
  // One that nobody waits for any more has its memory until its child is gone.
  w.hung.clear();
  CHECK(w.isRefused(user));
  w.world.reaper.onChildless().wait(w.world.io.waitScope);
  w.world.io.waitScope.poll();
  CHECK(w.world.spawner.startingBytes() == 0);
  CHECK(w.start("/", w.ALICE).wait(w.world.io.waitScope).get<SpawnFailure>().errorNumber == E2BIG);
}

TEST_CASE("S42 the starts that hang of a few users keep no other's from starting") {
  LargeStarts w;
  if (!w.hanging.isMounted) SKIP("no FUSE file system can be mounted here");
  if (geteuid() != 0) SKIP("only root starts programs of others");
  while (w.hang(w.ALICE)) {
  }
  CHECK(w.hung.size() == (MAX_STARTING_BYTES / USER_STARTING_SHARE - 1) / rpc::MAX_ARGUMENT_BYTES);
  CHECK(w.isRefused(w.ALICE));
  CHECK_FALSE(w.isRefused(w.BOB));
  for (auto user : {w.BOB, w.CAROL}) {
    while (w.hang(user)) {
    }
  }
  CHECK(w.isRefused(w.CAROL));
  CHECK_FALSE(w.isRefused(w.CAROL + 1));
  w.hung.clear();
  w.world.reaper.onChildless().wait(w.world.io.waitScope);
}

TEST_CASE("S42 the largest command that a client may send can start") {
  Spawned world;
  constexpr size_t TEXTS = rpc::MAX_ARGUMENT_BYTES / (sizeof(char*) + 2);
  auto request = world.request("true", kj::arr(kj::str("true")));
  request.environment = kj::heapArray<kj::String>(TEXTS);
  for (auto& text : request.environment) text = kj::str("x");
  auto outcome = world.spawn(kj::mv(request));
  CHECK(outcome.get<SpawnFailure>().stage == SpawnFailure::Stage::EXECUTE);
  CHECK(outcome.get<SpawnFailure>().errorNumber == E2BIG);
}

TEST_CASE("PATH is searched as execvp does") {
  auto found = searchPath("ls", "/a:/b");
  REQUIRE(found.size() == 2);
  CHECK(found[0] == "/a/ls");
  CHECK(found[1] == "/b/ls");
  CHECK(searchPath("./ls", "/a:/b").size() == 1);
  CHECK(searchPath("ls", "/a::/b")[1] == "./ls");
}

}  // namespace
}  // namespace bothy
