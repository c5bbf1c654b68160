// The processes that serve files in a machine: what they may, and that no file system that hangs reaches further than one of them.  All
// scenarios share a machine.

#include <kj/debug.h>
#include <string.h>

#include <catch2/catch_test_macros.hpp>

#include "support/command-line.h"
#include "support/host-program.h"
#include "support/shared-workspace.h"
#include "wire/byte-sink.h"

namespace bothy {
namespace {

constexpr kj::StringPtr FAULTY = "/mnt/faulty"_kj;

// A FUSE server with one file of any name, whose argument says what is wrong with it: it "hangs", and answers no request but the first: the kernel
// then lets nobody who waits for it go, not even by SIGKILL; it "is slow", for some seconds at each name; or it "never flushes".
constexpr kj::StringPtr SERVER = R"(
import ctypes, os, struct, sys, time
LOOKUP, FORGET, GETATTR, OPEN, WRITE, RELEASE, FSYNC, INIT, INTERRUPT, FORGET_MANY = 1, 2, 3, 14, 16, 18, 20, 26, 36, 42
ROOT, FILE, SLOW_SECONDS, NOT_SERVED = 1, 2, 3, -38
fault = sys.argv[1]
fuse = os.open('/dev/fuse', os.O_RDWR)
options = 'fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other' % fuse
assert ctypes.CDLL(None).mount(b'faulty', b'/mnt/faulty', b'fuse', 0, options.encode()) == 0

def attributes(node):
    kind = 0o040777 if node == ROOT else 0o100666
    return struct.pack('6Q10I', node, 0, 0, 0, 0, 0, 0, 0, 0, kind, 1, 0, 0, 0, 4096, 0)

# None: nothing is answered.
def answer(opcode, node, body):
    if opcode == INIT:
        return struct.pack('IIIIHHIIHHI', 7, 31, 0, 0, 16, 12, 131072, 1, 32, 0, 0) + bytes(28)
    if fault == 'hangs' or opcode in (FORGET, FORGET_MANY, INTERRUPT):
        return None
    if opcode == LOOKUP:
        if fault == 'is slow':
            time.sleep(SLOW_SECONDS)
        return struct.pack('4Q2I', FILE, 0, 0, 0, 0, 0) + attributes(FILE)
    if opcode == GETATTR:
        return struct.pack('Q2I', 0, 0, 0) + attributes(node)
    if opcode == OPEN:
        return struct.pack('Q2I', 1, 0, 0)
    if opcode == WRITE:
        return struct.pack('2I', struct.unpack_from('I', body, 16)[0], 0)
    if opcode == RELEASE:
        return b''
    return None if opcode == FSYNC else NOT_SERVED

while True:
    message = os.read(fuse, 1 << 20)
    length, opcode, unique, node = struct.unpack_from('IIQQ', message)
    told = answer(opcode, node, message[40:])
    if told is None:
        continue
    error, body = (told, b'') if isinstance(told, int) else (0, told)
    os.write(fuse, struct.pack('IiQ', 16 + len(body), error, unique) + body)
    if opcode == INIT:
        open('/run/faulty', 'w').write(str(os.getpid()))
)"_kj;

// Serves FAULTY from here on, with a fault.
class FaultyMount final {
public:
  // `fault`: see SERVER.
  explicit FaultyMount(TestWorkspace& workspace, kj::StringPtr fault = "hangs")
      : workspace(workspace) {
    workspace.shell(
        kj::str("mkdir -p ", FAULTY, "; rm -f /run/faulty; cat > /run/server <<'END'", SERVER,
                "END\nsetsid python3 /run/server '", fault,
                "' > /dev/null 2>&1 < /dev/null &\n"
                "for i in $(seq 100); do test -s /run/faulty && exit; sleep 0.1; done; exit 1"),
        "root");
  }
  ~FaultyMount() noexcept(false) {
    unwind.catchExceptionsIfUnwinding([this]() { end(); });
  }
  KJ_DISALLOW_COPY_AND_MOVE(FaultyMount);

  // Who waits for it goes on, with a failure.
  void end() {
    workspace.shell(kj::str("kill -9 $(cat /run/faulty); umount -l ", FAULTY, "; :"), "root");
  }

private:
  TestWorkspace& workspace;
  kj::UnwindDetector unwind;
};

kj::Promise<void> stat(rpc::Files::Client files, kj::StringPtr path) {
  auto request = files.statRequest();
  request.setPath(path.asBytes());
  return request.send().ignoreResult();
}

// A terminal of the machine that was there before.
class Echo final {
public:
  explicit Echo(TestWorkspace& workspace) : terminal(workspace, {.argv = ARGV}) {}

  // What is typed comes back, programs start and are collected, and the agent answers its supervisor.
  void check() {
    auto word = kj::str("word-", ++words);
    terminal.type(kj::str(word, "\r"));
    terminal.waitForText(word);
    CHECK(terminal.workspace.shell("true && echo done") == "done");
    terminal.workspace.health();
  }
  ~Echo() noexcept(false) {
    unwind.catchExceptionsIfUnwinding([this]() {
      auto& host = terminal.workspace.host;
      host.wait(terminal.client().closeRequest().send().ignoreResult(), "the end of a terminal");
    });
  }

private:
  static constexpr kj::StringPtr ARGV[] = {"cat"_kj};
  TestTerminal terminal;
  uint words = 0;
  kj::UnwindDetector unwind;
};

kj::Own<Lane> openFiles(TestWorkspace& workspace, kj::StringPtr user = nullptr) {
  return workspace.openLane([user](rpc::LaneRequest::Builder wanted) {
    auto files = wanted.initFiles();
    files.setAccess(rpc::FileAccess::WRITE);
    files.setUser(user);
  });
}

rpc::Files::Client filesOf(Lane& lane) {
  return lane.bootstrap().castAs<rpc::Files>();
}

TEST_CASE("S42 a user's programs neither trace nor read the process that serves his files") {
  auto& [host, workspace] = sharedWorkspace();
  auto lane = openFiles(workspace);
  host.wait(stat(filesOf(*lane), "/"), "a call");
  constexpr kj::StringPtr PID = "pid=$(pgrep -u user -x bothy-files) && "_kj;
  for (auto file : {"mem"_kj, "environ"_kj, "maps"_kj, "auxv"_kj, "io"_kj}) {
    INFO(file.cStr());
    CHECK(workspace.shell(kj::str(PID, "head -c 1 /proc/$pid/", file, " 2>&1; :"))
              .endsWith("Permission denied"));
  }
  CHECK(workspace.shell(kj::str(PID, "ls /proc/$pid/fd 2>&1; :")).endsWith("Permission denied"));
  constexpr int PTRACE_SEIZE = 0x4206, EPERM_NUMBER = 1;
  CHECK(workspace.shell(kj::str(PID,
                                "python3 -c \"import ctypes; c = ctypes.CDLL(None, use_errno=True);"
                                " c.ptrace(",
                                PTRACE_SEIZE, ", $pid, 0, 0); print(ctypes.get_errno())\"")) ==
        kj::str(EPERM_NUMBER));
  // It has no rights but the user's, and gets none.
  CHECK(
      workspace.shell(kj::str(PID, "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/$pid/status")) ==
      "CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2");
  // The kernel has all that it asks for.
  constexpr int LANDLOCK_CREATE_RULESET = 444, NEWEST_ABI_USED = 6;
  auto abi = workspace.shell(kj::str("python3 -c \"import ctypes; print(ctypes.CDLL(None).syscall(",
                                     LANDLOCK_CREATE_RULESET, ", None, 0, 1))\""));
  CHECK(abi.parseAs<int>() >= NEWEST_ABI_USED);
  // It is none of the agent's own group.
  CHECK(workspace.shell(kj::str(PID, "cat /proc/$pid/cgroup")) !=
        workspace.shell("cat /proc/1/cgroup"));
}

TEST_CASE("what was copied is in the log of what the host's side did") {
  auto& [host, workspace] = sharedWorkspace();
  auto lane = openFiles(workspace);
  auto request = filesOf(*lane).writeRequest();
  request.setPath("/home/user/noted"_kj.asBytes());
  auto sink = host.wait(request.send().dropPipeline(), "a file").getSink();
  auto write = sink.writeRequest();
  write.setData("12345"_kj.asBytes());
  host.wait(write.send(), "writing");
  host.wait(sink.endRequest().send().dropPipeline().ignoreResult(), "the end");
  lane = nullptr;
  // The note is written by another process.
  constexpr kj::StringPtr CLOSED =
      "'\"files closed\".*\"filesWritten\":1,\"bytesWritten\":5,\"changes\":0}' "
      "/var/log/bothy/host-actions.jsonl"_kj;
  workspace.shell(
      kj::str("for i in $(seq 100); do grep -q ", CLOSED, " && break; sleep 0.1; done"));
  auto line = workspace.shell(kj::str("grep ", CLOSED));
  for (auto part : {"\"session\":\"client "_kj, "\"actor\":\"uid 0\""_kj, "\"lane\":\""_kj}) {
    INFO(part.cStr() << " in " << line.cStr());
    CHECK(strstr(line.cStr(), part.cStr()) != nullptr);
  }
}

TEST_CASE("S25 a lane for files beneath a directory reaches nothing else, whoever moves it") {
  auto& [host, workspace] = sharedWorkspace();
  workspace.shell(
      "mkdir -p share/d && echo text > share/f && echo x > other && ln -s ../other share/l");
  auto open = [&, &workspace = workspace](kj::StringPtr directory) {
    return workspace.openLane([&](rpc::LaneRequest::Builder wanted) {
      auto beneath = wanted.initFilesBeneath();
      beneath.setAccess(rpc::FileAccess::WRITE);
      beneath.setDirectory(directory.asBytes());
    });
  };
  auto lane = open("/home/user/share");
  auto failure = [&](kj::StringPtr path) {
    auto request = filesOf(*lane).statRequest();
    request.setPath(path.asBytes());
    request.setFollowLinks(true);
    auto outcome = host.wait(request.send().dropPipeline(), "a call").getOutcome();
    return outcome.isFailed() ? static_cast<int>(outcome.getFailed().getReason()) : -1;
  };
  constexpr int OUTSIDE = static_cast<int>(rpc::FileFailure::Reason::OUTSIDE_ROOT);
  CHECK(failure("f") == -1);
  CHECK(failure("/d/../f") == -1);
  CHECK(failure("../other") == OUTSIDE);
  CHECK(failure("l") == OUTSIDE);
  // The lane goes with its directory.
  workspace.shell("mv share moved && mkdir share");
  CHECK(failure("f") == -1);
  CHECK(failure("../other") == OUTSIDE);
  workspace.shell("rm -r share moved other");
}

TEST_CASE("P41 the process of a user's files is killed, and the next lane has another") {
  auto& [host, workspace] = sharedWorkspace();
  auto lane = openFiles(workspace);
  auto others = openFiles(workspace, "root");
  host.wait(stat(filesOf(*lane), "/"), "a call");
  host.wait(stat(filesOf(*others), "/"), "a call of root's");
  auto ended = lane->onDisconnect();
  workspace.shell("pkill -9 -u user -x bothy-files");
  host.wait(kj::mv(ended), "the end of the lane");
  host.wait(stat(filesOf(*others), "/"), "a call of root's");
  lane = openFiles(workspace);
  host.wait(stat(filesOf(*lane), "/"), "a call on the next lane");
}

TEST_CASE("P45 a file system that hangs costs a lane for files, and nothing else of its machine") {
  auto& [host, workspace] = sharedWorkspace();
  Echo echo(workspace);
  FaultyMount mount(workspace);
  auto lane = openFiles(workspace);
  auto hung = stat(filesOf(*lane), kj::str(FAULTY, "/f")).eagerlyEvaluate(nullptr);
  echo.check();
  CHECK_FALSE(hung.poll(host.scope));
  auto others = openFiles(workspace, "root");
  host.wait(stat(filesOf(*others), "/"), "a call of root's");
  echo.check();

  // The next lane of the same user, who asks again as `bothy` does.
  CommandLine bothy(host);
  auto copied = bothy.run({"cp"_kj, "test:/etc/hostname"_kj, "-"_kj});
  INFO(copied.err.cStr());
  CHECK(copied.status == 0);
  CHECK(copied.out == "test\n");
  CHECK_FALSE(hung.poll(host.scope));
  // Neither is there a third that hangs: it is said.
  auto second = openFiles(workspace);
  auto alsoHung = stat(filesOf(*second), kj::str(FAULTY, "/f")).eagerlyEvaluate(nullptr);
  echo.check();
  CHECK_FALSE(alsoHung.poll(host.scope));
  auto opening = [&, &workspace = workspace]() {
    return kj::str(KJ_REQUIRE_NONNULL(kj::runCatchingExceptions([&]() { openFiles(workspace); })));
  };
  CHECK(strstr(opening().cStr(), "a lane was refused") == nullptr);
  auto refusal = kj::str("a lane was refused; static_cast<int>(answer.get<LaneRefused>().why) = ",
                         static_cast<int>(rpc::Refusal::UNAVAILABLE));
  CHECK(strstr(opening().cStr(), refusal.cStr()) != nullptr);
  // For whoever asks next the oldest has to go, and its lane has gone, though the kernel lets nobody go who waits for the server.
  host.wait(hung.catch_([](kj::Exception&&) {}), "the end of the lane that hung first");
  CHECK_FALSE(alsoHung.poll(host.scope));
  mount.end();
  host.wait(alsoHung.catch_([](kj::Exception&&) {}), "the call that hung");
  echo.check();
}

// The process that serves a lane.
kj::String workerOf(Lane& lane, SupervisedHost& host) {
  auto request = filesOf(lane).statRequest();
  request.setPath("/proc/self"_kj.asBytes());
  auto answer = host.wait(request.send().dropPipeline(), "who serves a lane");
  return kj::heapString(answer.getOutcome().getEntry().getLinkTarget().asChars());
}

TEST_CASE(
    "P45 a file system that is slow costs a lane for files its time, and nothing else of its "
    "machine") {
  auto& [host, workspace] = sharedWorkspace();
  Echo echo(workspace);
  FaultyMount mount(workspace, "is slow");
  auto lane = openFiles(workspace);
  const auto worker = workerOf(*lane, host);
  auto slow = stat(filesOf(*lane), kj::str(FAULTY, "/f")).eagerlyEvaluate(nullptr);
  echo.check();
  host.wait(kj::mv(slow), "the call that is slow");
  // It was not given up for that.
  auto next = openFiles(workspace);
  CHECK(workerOf(*next, host) == worker);
}

TEST_CASE(
    "P45 a flush that takes for ever costs who waits for it, and nothing else of its machine") {
  auto& [host, workspace] = sharedWorkspace();
  Echo echo(workspace);
  FaultyMount mount(workspace, "never flushes");
  auto lane = openFiles(workspace);
  auto request = filesOf(*lane).writeRequest();
  request.setPath(kj::str(FAULTY, "/f").asBytes());
  request.initOptions().setDisposition(rpc::Files::WriteOptions::Disposition::PATCH);
  auto opened = host.wait(request.send().dropPipeline(), "a file");
  REQUIRE(opened.getOutcome().isDone());
  SinkWriter writer(opened.getSink());
  host.wait(writer.send("text"_kj.asBytes()), "writing");
  auto flushed = writer.end().eagerlyEvaluate(nullptr);
  echo.check();
  CHECK_FALSE(flushed.poll(host.scope));
  // Neither does what else its lane does wait for it.
  host.wait(stat(filesOf(*lane), "/"), "another call of the lane");
  // Who gives it up closes the file, for which the worker itself waits, since FUSE holds the file until it is flushed: the next lane has another.
  flushed = nullptr;
  lane = nullptr;
  echo.check();
  CommandLine bothy(host);
  auto copied = bothy.run({"cp"_kj, "test:/etc/hostname"_kj, "-"_kj});
  INFO(copied.err.cStr());
  CHECK(copied.status == 0);
}

TEST_CASE("P45 a frozen file system costs a lane for files, and nothing else of its machine") {
  auto& [host, workspace] = sharedWorkspace();
  Echo echo(workspace);
  auto lane = openFiles(workspace);
  auto files = filesOf(*lane);
  // Of the disk, on which "/" is written: no path leads to it but by such a directory.
  constexpr kj::StringPtr OF_DISK = "/var/lib/docker"_kj;
  workspace.shell(kj::str("fsfreeze -f ", OF_DISK), "root");
  auto request = files.writeRequest();
  request.setPath("/home/user/frozen"_kj.asBytes());
  auto writing = request.send()
                     .then([](auto&& opened) {
                       SinkWriter writer(opened.getSink());
                       auto sent = writer.send("text"_kj.asBytes());
                       auto end = sent.then([writer = kj::mv(opened)]() mutable {
                         return writer.getSink().endRequest().send().ignoreResult();
                       });
                       return end;
                     })
                     .eagerlyEvaluate(nullptr);
  echo.check();
  CHECK_FALSE(writing.poll(host.scope));
  echo.check();
  workspace.shell(kj::str("fsfreeze -u ", OF_DISK), "root");
  host.wait(kj::mv(writing), "the file that was written");
  CHECK(workspace.shell("cat /home/user/frozen; rm /home/user/frozen") == "text");
}

TEST_CASE("P45 a machine in which a file system hangs ends in order") {
  auto& [host, workspace] = sharedWorkspace();
  FaultyMount mount(workspace);
  auto lane = openFiles(workspace);
  auto hung = stat(filesOf(*lane), kj::str(FAULTY, "/f")).eagerlyEvaluate([](kj::Exception&&) {});
  workspace.shell("true");
  CHECK_FALSE(hung.poll(host.scope));
  CHECK(host.stopWorkspace("test") == rpc::Supervisor::StopKind::ORDERLY);
  workspace.startAgain();
  workspace.shell("true");
}

}  // namespace
}  // namespace bothy
