// How programs start: as execve(2), execvp(3) and login(1) would start them.
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "process/child-process.h"
#include "process/program-limits.h"
#include "process/test-actions.h"
#include "process/test-hanging-directory.h"
#include "process/test-world.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

using Reason = rpc::StartFailure::Reason;

struct World: public TestWorld {
  explicit World(kj::Maybe<kj::Timer&> timer = nullptr)
      : TestWorld(Trees::CGROUPS_IF_POSSIBLE, timer) {}
  rpc::Processes::Client processes = connect<rpc::Processes>(newProcessesFacet(*programs));
  Collected out;

  auto request() {
    auto result = processes.execRequest();
    out.restart();
    result.setStdout(collectInto(out));
    return result;
  }
  auto send(kj::ArrayPtr<const kj::StringPtr> arguments) {
    auto result = request();
    setArguments(result.initCommand(), arguments);
    return result.send().wait(scope);
  }
  // What it writes, and its exit code.
  kj::String run(kj::ArrayPtr<const kj::StringPtr> arguments) {
    auto started = send(arguments);
    REQUIRE(started.getOutcome().isStarted());
    auto ended = started.getProcess().waitRequest().send().wait(scope);
    REQUIRE(ended.getStatus().isExited());
    return kj::str(out.text(), ended.getStatus().getExited());
  }
  kj::String shell(kj::StringPtr script) { return run({"sh"_kj, "-c"_kj, script}); }
  // A file in the home, executable.
  kj::String write(kj::StringPtr name, kj::StringPtr text) {
    auto file = path(name);
    int fd = open(file.cStr(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    KJ_REQUIRE(fd >= 0);
    kj::FdOutputStream(kj::AutoCloseFd(fd)).write(text.begin(), text.size());
    KJ_SYSCALL(chmod(file.cStr(), 0755));
    return file;
  }

  struct Refusal {
    Reason reason;
    int errorNumber;
    kj::String detail;
    uint64_t bytes, limit;
  };
  Refusal refusal(kj::ArrayPtr<const kj::StringPtr> arguments, kj::StringPtr directory = "") {
    auto result = request();
    setArguments(result.initCommand(), arguments);
    result.getCommand().setWorkingDirectory(directory);
    auto response = result.send().wait(scope);
    REQUIRE(response.getOutcome().isFailed());
    auto failed = response.getOutcome().getFailed();
    return {failed.getReason(), failed.getErrorNumber(), kj::str(failed.getDetail()),
            failed.getBytes(), failed.getLimitBytes()};
  }
  Refusal refusal(kj::StringPtr program) { return refusal(kj::arrayPtr(&program, 1)); }
};

TEST_CASE("a script whose interpreter is missing says which, and with its carriage return") {
  World world;
  auto crlf = world.refusal(world.write("crlf", "#!/bin/bash\r\necho hello\r\n"));
  CHECK(crlf.reason == Reason::INTERPRETER_UNUSABLE);
  CHECK(crlf.errorNumber == ENOENT);
  CHECK(crlf.detail == "/bin/bash\r");
  auto missing = world.refusal(world.write("missing", "#! /no/such/python3 -x\n"));
  CHECK(missing.reason == Reason::INTERPRETER_UNUSABLE);
  CHECK(missing.detail == "/no/such/python3");
  auto unusable = world.refusal(world.write("unusable", "#!/etc/passwd\n"));
  CHECK(unusable.reason == Reason::INTERPRETER_UNUSABLE);
  CHECK(unusable.errorNumber == EACCES);
  CHECK(unusable.detail == "/etc/passwd");
}

TEST_CASE("a file that is no program says why") {
  World world;
  CHECK(world.refusal("/no/such/program").reason == Reason::PROGRAM_NOT_FOUND);
  CHECK(world.refusal("/etc/passwd/x").reason == Reason::PROGRAM_NOT_FOUND);
  auto expect = [](const World::Refusal& refusal, int error) {
    CHECK(refusal.reason == Reason::PROGRAM_NOT_EXECUTABLE);
    CHECK(refusal.errorNumber == error);
  };
  expect(world.refusal("/etc/passwd"), EACCES);
  expect(world.refusal("/tmp"), EISDIR);
  expect(world.refusal(world.write("binary", kj::StringPtr("\x01\x00\x02", 3))), ENOEXEC);
  REQUIRE(symlink("loop", world.path("loop").cStr()) == 0);
  expect(world.refusal(world.path("loop")), ELOOP);
  expect(world.refusal(kj::str("/", kj::repeat('x', 300))), ENAMETOOLONG);
  if (geteuid() == 0) {
    REQUIRE(mkdir(world.path("closed").cStr(), 0700) == 0);
    expect(world.refusal(world.path("closed/program")), EACCES);
  }
  auto busy = world.write("busy", "#!/bin/sh\n");
  int fd = open(busy.cStr(), O_WRONLY | O_CLOEXEC);
  kj::AutoCloseFd writing(fd);
  expect(world.refusal(busy), ETXTBSY);
}

TEST_CASE("what is for another processor is no program here, and says for which") {
  World world;
  char head[64] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
  head[16] = 2;
  head[18] = 22;  // EM_S390
  auto refusal = world.refusal(world.write("foreign", kj::heapString(head, sizeof(head))));
  CHECK(refusal.reason == Reason::PROGRAM_NOT_EXECUTABLE);
  CHECK(refusal.errorNumber == ENOEXEC);
  CHECK(refusal.detail == "s390x");
}

TEST_CASE("a text without #! is run by /bin/sh, as execvp does it") {
  World world;
  auto script = world.write("plain", "echo \"$1 from $0\"\nexit 3\n");
  CHECK(world.run({script, "word"_kj}) == kj::str("word from ", script, "\n3"));
  CHECK(world.run({world.write("empty", "")}) == "0");
}

TEST_CASE("a later directory of PATH is tried after a file that cannot run") {
  World world;
  REQUIRE(mkdir(world.path("first").cStr(), 0755) == 0);
  REQUIRE(mkdir(world.path("second").cStr(), 0755) == 0);
  world.write("first/tool", "#!/no/such/interpreter\n");
  auto attempt = [&]() {
    auto request = world.request();
    setArguments(request.initCommand(), {"tool"_kj});
    auto variable = request.getCommand().initEnvironment(1)[0];
    variable.setName("PATH");
    variable.setValue(kj::str(world.path("first"), ":", world.path("second")));
    return request.send().wait(world.scope);
  };
  auto failed = attempt();
  REQUIRE(failed.getOutcome().isFailed());
  CHECK(failed.getOutcome().getFailed().getReason() == Reason::INTERPRETER_UNUSABLE);
  world.write("second/tool", "#!/bin/sh\nexit 0\n");
  CHECK(attempt().getOutcome().isStarted());
}

TEST_CASE("why a working directory cannot be entered is told") {
  World world;
  auto missing = world.refusal({"true"_kj}, "/no/such/place");
  CHECK(missing.reason == Reason::WORKING_DIRECTORY_MISSING);
  auto file = world.refusal({"true"_kj}, "/etc/passwd");
  CHECK(file.reason == Reason::WORKING_DIRECTORY_UNUSABLE);
  CHECK(file.errorNumber == ENOTDIR);
  if (geteuid() == 0) {
    REQUIRE(mkdir(world.path("closed").cStr(), 0700) == 0);
    auto closed = world.refusal({"true"_kj}, world.path("closed"));
    CHECK(closed.reason == Reason::WORKING_DIRECTORY_UNUSABLE);
    CHECK(closed.errorNumber == EACCES);
  }
}

TEST_CASE("arguments are as long as execve takes them, and over that the size is told") {
  World world;
  auto longest = kj::str(kj::repeat('x', MAX_TEXT_BYTES - 1));
  CHECK(world.run({"printf"_kj, "%.3s"_kj, longest}) == "xxx0");
  auto tooLong = kj::str(longest, 'x');
  auto one = world.refusal({"printf"_kj, "%.3s"_kj, tooLong});
  CHECK(one.reason == Reason::ARGUMENTS_TOO_LONG);
  CHECK(one.bytes == MAX_TEXT_BYTES + 1);
  CHECK(one.limit == MAX_TEXT_BYTES);

  // The shortest texts are what makes the longest message.
  auto many = kj::heapArray<kj::StringPtr>(200 * 1000);
  for (auto& word : many) word = "1";
  many[0] = "sh";
  many[1] = "-c";
  many[2] = "echo $#";
  CHECK(world.run(many) == "199996\n0");
  auto tooMany = kj::heapArray<kj::StringPtr>(220 * 1000);
  for (auto& word : tooMany) word = "1";
  tooMany[0] = "true";
  auto all = world.refusal(tooMany);
  CHECK(all.reason == Reason::ARGUMENTS_TOO_LONG);
  CHECK(all.bytes > MAX_TEXTS_BYTES);
  CHECK(all.limit == MAX_TEXTS_BYTES);

  // Ours, so that nothing without bound is copied for execve to refuse.
  auto huge = kj::heapArray<kj::StringPtr>(rpc::MAX_ARGUMENT_BYTES / MAX_TEXT_BYTES + 2);
  for (auto& word : huge) word = longest;
  huge[0] = "true";
  CHECK(world.refusal(huge).reason == Reason::ARGUMENTS_TOO_LONG);
}

TEST_CASE("P40 a user whose home cannot be entered runs in / with HOME=/, and that is told") {
  World world;
  gid_t gid = geteuid() == 0 ? world.uid : getegid();
  world.writeEtc("passwd", kj::str("user:x:", world.uid, ":", gid, "::/nonexistent:/bin/sh\n"));
  auto started = world.send({"sh"_kj, "-c"_kj, "echo $PWD $HOME"_kj});
  REQUIRE(started.getOutcome().isStarted());
  CHECK(started.getOutcome().getMissingHome() == "/nonexistent");
  CHECK(started.getOutcome().getMissingHomeError() == ENOENT);
  started.getProcess().waitRequest().send().wait(world.scope);
  CHECK(world.out.text() == "/ /\n");

  // Whoever says where, or what HOME is, gets that.
  auto request = world.request();
  setShell(request.initCommand(), "echo $PWD $HOME");
  request.getCommand().setWorkingDirectory("/tmp");
  auto elsewhere = request.send().wait(world.scope);
  CHECK(elsewhere.getOutcome().getMissingHome() == "");
  elsewhere.getProcess().waitRequest().send().wait(world.scope);
  CHECK(world.out.text() == "/tmp /nonexistent\n");
  request = world.request();
  setShell(request.initCommand(), "echo $PWD $HOME");
  auto variable = request.getCommand().initEnvironment(1)[0];
  variable.setName("HOME");
  variable.setValue("/mine");
  auto own = request.send().wait(world.scope);
  CHECK(own.getOutcome().getMissingHome() == "/nonexistent");
  own.getProcess().waitRequest().send().wait(world.scope);
  CHECK(world.out.text() == "/ /mine\n");
}

TEST_CASE("P40 a program has the limits, the umask and the priority of a login") {
  World world;
  auto limits = world.shell("ulimit -Sn; ulimit -Ss; ulimit -Sc; umask; nice");
  // The priority is the agent's own, which is PID 1's.
  CHECK(limits == kj::str("1024\n8192\n0\n0022\n", getpriority(PRIO_PROCESS, 0), "\n0"));
  struct rlimit own;
  REQUIRE(getrlimit(RLIMIT_NOFILE, &own) == 0);
  if (own.rlim_max >= 1048576) CHECK(world.shell("ulimit -Hn") == "1048576\n0");
}

TEST_CASE("P13 a timeout ends the tree, and the status says so") {
  kj::TimerImpl timer(kj::origin<kj::TimePoint>());
  World world(timer);
  if (world.cgroupRoot == nullptr) SKIP("no cgroup v2 that this user may write");
  auto start = [&](kj::StringPtr script) {
    auto request = world.request();
    setShell(request.initCommand(), script);
    request.getCommand().setTimeoutMillis(5000);
    auto started = request.send().wait(world.scope);
    REQUIRE(started.getOutcome().isStarted());
    return started.getProcess();
  };
  auto stubborn = start(
      "trap '' HUP TERM; (setsid sh -c 'trap \"\" HUP TERM; sleep 1000; sleep 1000' &); "
      "echo ready; sleep 1000; sleep 1000");
  world.await(world.out, strlen("ready\n"));  // by then it ignores signals
  auto waiting = stubborn.waitRequest().send();
  timer.advanceTo(timer.now() + 5 * kj::SECONDS - 1 * kj::NANOSECONDS);
  CHECK_FALSE(waiting.poll(world.scope));
  timer.advanceTo(timer.now() + 1 * kj::NANOSECONDS);
  CHECK_FALSE(waiting.poll(world.scope));
  timer.advanceTo(timer.now() + rpc::KILL_GRACE_MILLIS * kj::MILLISECONDS);
  auto ended = waiting.wait(world.scope);
  CHECK(ended.getStatus().isTimedOut());
  CHECK(ended.getDetached() == 0);
  world.onChildless().wait(world.scope);

  // It counts for a program that obeys, too, and not for one that has ended in time.
  auto obedient = start("trap 'exit 0' TERM; while :; do sleep 0.01; done");
  auto quick = start("exit 4");
  CHECK(quick.waitRequest().send().wait(world.scope).getStatus().getExited() == 4);
  timer.advanceTo(timer.now() + 5 * kj::SECONDS);
  CHECK(obedient.waitRequest().send().wait(world.scope).getStatus().isTimedOut());
  CHECK(quick.waitRequest().send().wait(world.scope).getStatus().getExited() == 4);
}

TEST_CASE("nothing is started while the machine ends") {
  World world;
  world.programs->endStarts();
  CHECK(world.refusal("true").reason == Reason::MACHINE_ENDING);
}

size_t heapBytes() {
  const auto heap = mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

TEST_CASE("S42 a terminal that hangs at its start holds its command once") {
  if (__has_feature(address_sanitizer)) SKIP("the sanitizer has a heap of its own");
  TestWorld w;
  HangingDirectory hanging;
  if (!hanging.isMounted) SKIP("no FUSE file system can be mounted here");
  constexpr size_t TEXT_BYTES = 1024 * 1024;
  kj::AutoCloseFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  SpawnRequest request = {
      .programs = kj::arr(kj::str("/bin/true")),
      .arguments = kj::arr(kj::str("true")),
      .environment = kj::arr(kj::str(kj::repeat('x', TEXT_BYTES))),
      .workingDirectory = kj::str(hanging.path),
      .credentials = nullptr,
      .standardFds = {null, null, null},
      .cgroupFd = nullptr,
      .kind = ProgramKind::TERMINAL,
  };
  const auto before = heapBytes();
  auto starting = ChildProcess::start(*w.programs, kj::mv(request));
  CHECK_FALSE(starting.poll(w.scope));
  CHECK(heapBytes() < before + TEXT_BYTES / 2);
  hanging.device = nullptr;
  CHECK(starting.wait(w.scope).is<StartFailure>());
}

}  // namespace
}  // namespace bothy
