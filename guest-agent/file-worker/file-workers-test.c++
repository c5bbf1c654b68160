#include "file-worker/file-workers.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "file-worker/file-worker-test-world.h"
#include "process/text-file.h"
#include "schema/file-worker.capnp.h"
#include "wire/byte-sink.h"

namespace bothy {
namespace {

TEST_CASE("a user's lanes for files are served by one process, which has the user's rights") {
  FileWorkerWorld w;
  auto first = w.open();
  auto second = w.open();
  const auto pid = w.workerOf(*first);
  CHECK(pid != getpid());
  CHECK(w.workerOf(*second) == pid);
  auto status = readTextFile(kj::str("/proc/", pid, "/status"));
  auto ids = kj::str("Uid:\t", w.uid, '\t', w.uid, '\t', w.uid, '\t', w.uid, '\n');
  CHECK(strstr(status.cStr(), ids.cStr()) != nullptr);

  auto write = first->files().writeRequest();
  write.setPath(kj::str(w.world.at("home"), "/f").asBytes());
  auto written = write.send().wait(w.scope);
  REQUIRE(written.getOutcome().isDone());
  SinkWriter sink(written.getSink());
  sink.send("text"_kj.asBytes()).wait(w.scope);
  sink.end().wait(w.scope);
  CHECK(w.world.read("home/f") == "text");
  CHECK(w.world.status("home/f").st_uid == w.uid);
}

TEST_CASE("each user has a process of his own, and who is none has none") {
  if (geteuid() != 0) SKIP("needs other users");
  FileWorkerWorld w;
  auto first = w.open("tester");
  auto second = w.open("other0");
  CHECK(w.workerOf(*first) != w.workerOf(*second));
  CHECK(w.refusal("nobody here") == rpc::Refusal::NO_SUCH_USER);
}

TEST_CASE("root's files are served as anybody's") {
  if (geteuid() != 0) SKIP("needs root");
  FileWorkerWorld w;
  auto lane = w.open("root");
  auto request = lane->files().statRequest();
  request.setPath("/"_kj.asBytes());
  CHECK(request.send().wait(w.scope).getOutcome().isEntry());
}

TEST_CASE("a lane that its client leaves has ended, and one that is ordered to end is closed") {
  FileWorkerWorld w;
  auto left = w.open();
  auto ordered = w.open();
  CHECK(w.answers(*left));
  left->client = nullptr;
  CHECK(w.until([&]() { return left->hasEnded; }));
  CHECK(w.answers(*ordered));
  auto ended = ordered->client->onDisconnect();
  ordered->served = nullptr;
  ended.wait(w.scope);
}

TEST_CASE("a worker that is killed ends its lanes, and the next lane has another") {
  FileWorkerWorld w;
  auto lane = w.open();
  const auto pid = w.workerOf(*lane);
  kill(pid, SIGKILL);
  CHECK(w.until([&]() { return lane->hasEnded && w.workers.count() == 0; }));
  CHECK_FALSE(w.answers(*lane));
  auto next = w.open();
  CHECK(w.workerOf(*next) != pid);
}

// The line that tells of the end of the one lane that there was; empty: there is none yet.
kj::StringPtr closedLine(FileWorkerWorld& w) {
  return w.log.lines.size() < 2 ? ""_kj : w.log.lines[1].asPtr();
}

TEST_CASE("what was done over a lane is noted when it has ended, however it ends") {
  FileWorkerWorld w;
  auto lane = w.open();
  const auto path = kj::str(w.world.at("home"), "/f");
  auto write = lane->files().writeRequest();
  write.setPath(path.asBytes());
  auto written = write.send().wait(w.scope);
  SinkWriter sink(written.getSink());
  sink.send("text"_kj.asBytes()).wait(w.scope);
  sink.end().wait(w.scope);
  auto remove = lane->files().removeRequest();
  remove.setPath(path.asBytes());
  CHECK(remove.send().wait(w.scope).getOutcome().isDone());
  w.awaitTaken();
  REQUIRE(w.log.lines.size() == 1);
  CHECK(strstr(w.log.lines[0].cStr(), "\"files opened\"") != nullptr);

  auto counts =
      "\"filesRead\":0,\"bytesRead\":0,\"filesWritten\":1,\"bytesWritten\":4,\"changes\":1"_kj;
  SECTION("by its client") {
    lane->client = nullptr;
  }
  SECTION("by an order") {
    lane->served = nullptr;
  }
  SECTION("with its worker, which cannot say any more") {
    kill(w.workerOf(*lane), SIGKILL);
    counts = "\"outcome\":\"what was done is not known\""_kj;
  }
  SECTION("by an order, and then its worker does, which has not said") {
    const auto pid = w.workerOf(*lane);
    kill(pid, SIGSTOP);
    lane->served = nullptr;
    w.scope.poll();
    CHECK(closedLine(w) == "");
    kill(pid, SIGKILL);
    counts = "\"outcome\":\"what was done is not known\""_kj;
  }
  REQUIRE(w.until([&]() { return closedLine(w).size() > 0; }));
  CHECK(strstr(closedLine(w).cStr(), "\"files closed\"") != nullptr);
  CHECK(strstr(closedLine(w).cStr(), counts.cStr()) != nullptr);
  CHECK(w.log.lines.size() == 2);
}

constexpr kj::StringPtr NOTHING =
    "\"filesRead\":0,\"bytesRead\":0,\"filesWritten\":0,\"bytesWritten\":0,\"changes\":0"_kj;

TEST_CASE("a lane that no worker got has done nothing") {
  FileWorkerWorld w;
  SECTION("since it went before the worker was started") {
    auto lane = w.open();
    lane->served = nullptr;
    CHECK(closedLine(w) == "");
    REQUIRE(w.until([&]() { return closedLine(w).size() > 0; }));
  }
  SECTION("since the worker is no more, which nobody has heard yet") {
    auto first = w.open();
    const auto pid = w.workerOf(*first);
    kill(pid, SIGKILL);
    siginfo_t ended;
    KJ_SYSCALL(waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOWAIT));
    auto lane = w.open();
    w.scope.poll();
    REQUIRE(w.log.lines.size() >= 3);
    CHECK(strstr(w.log.lines[2].cStr(), NOTHING.cStr()) != nullptr);
    return;
  }
  CHECK(strstr(closedLine(w).cStr(), NOTHING.cStr()) != nullptr);
}

// As a worker that somebody has taken over writes: the pipe for its reports, the first that it moves (file-worker-main).
kj::AutoCloseFd reportsOf(pid_t worker) {
  int fd;
  KJ_SYSCALL(fd = open(kj::str("/proc/", worker, "/fd/3").cStr(), O_WRONLY | O_CLOEXEC));
  return kj::AutoCloseFd(fd);
}

void reportLane(int pipe, uint64_t number) {
  capnp::MallocMessageBuilder message;
  auto report = message.initRoot<rpc::WorkerReport>();
  report.setLane(number);
  report.initCounts().setFilesRead(7);
  auto words = capnp::messageToFlatArray(message);
  // This descriptor of the pipe keeps no packets apart: it is filled to what is read at once.
  kj::byte bytes[MAX_REPORT_BYTES] = {};
  memcpy(bytes, words.begin(), words.asBytes().size());
  kj::FdOutputStream(pipe).write(bytes, sizeof(bytes));
}

TEST_CASE("what a worker said of its lanes before its end is heard") {
  if (geteuid() != 0) SKIP("needs root's look at another's descriptors");
  FileWorkerWorld w;
  // More than are heard in a turn, and the test makes no time pass for the next.
  constexpr uint LANES = 20;
  kj::Vector<kj::Own<FileWorkerWorld::TestLane>> lanes;
  for (uint i = 0; i < LANES; i++) lanes.add(w.open());
  const auto pid = w.workerOf(*lanes.back());
  auto pipe = reportsOf(pid);
  for (uint i = 1; i <= LANES; i++) reportLane(pipe, i);
  kill(pid, SIGKILL);
  REQUIRE(w.until([&]() { return w.log.lines.size() == size_t(2 * LANES); }));
  for (auto& line : w.log.lines.slice(LANES, 2 * LANES)) {
    CHECK(strstr(line.cStr(), "\"filesRead\":7") != nullptr);
  }
}

TEST_CASE("S42 a worker that reports more lanes than it had is ended") {
  if (geteuid() != 0) SKIP("needs root's look at another's descriptors");
  FileWorkerWorld w;
  auto lane = w.open();
  auto pipe = reportsOf(w.workerOf(*lane));
  constexpr uint64_t NO_LANE = 99;
  reportLane(pipe, NO_LANE);
  CHECK(w.answers(*lane));
  reportLane(pipe, NO_LANE);
  CHECK(w.until([&]() { return lane->hasEnded && w.workers.count() == 0; }));
}

TEST_CASE("S42 of lanes of which their worker says nothing so many are waited for") {
  FileWorkerWorld w;
  auto first = w.open();
  kj::Vector<kj::Own<FileWorkerWorld::TestLane>> lanes;
  for (uint i = 0; i < MAX_UNREPORTED_LANES + 1; i++) lanes.add(w.open());
  const auto pid = w.workerOf(*first);
  kill(pid, SIGSTOP);
  KJ_DEFER(kill(pid, SIGKILL));
  for (auto& lane : lanes) lane->served = nullptr;
  w.scope.poll();
  const auto opened = 1 + lanes.size();
  // The oldest, whose end is noted without its counts.
  CHECK(w.log.lines.size() == opened + 1);
}

TEST_CASE("a worker without a lane ends after a while, and not before") {
  FileWorkerWorld w;
  auto lane = w.open();
  const auto pid = w.workerOf(*lane);
  lane->client = nullptr;
  CHECK(w.until([&]() { return lane->hasEnded; }));
  w.pass(WORKER_IDLE_LIMIT - 1 * kj::SECONDS);
  // A lane meanwhile begins the wait anew.
  lane = w.open();
  CHECK(w.workerOf(*lane) == pid);
  w.pass(1 * kj::SECONDS);
  CHECK(w.answers(*lane));
  lane->client = nullptr;
  CHECK(w.until([&]() { return lane->hasEnded; }));
  w.pass(WORKER_IDLE_LIMIT);
  CHECK(w.until([&]() { return w.workers.count() == 0; }));
  CHECK(w.processes().size() == 0);
}

TEST_CASE("a worker that hangs costs a lane its time, and the next lane has another worker") {
  FileWorkerWorld w;
  auto before = w.open();
  const auto hung = w.workerOf(*before);
  kill(hung, SIGSTOP);
  auto untaken = w.open();
  w.pass(TAKE_LIMIT - 1 * kj::MILLISECONDS);
  CHECK_FALSE(untaken->hasEnded);
  w.pass(1 * kj::MILLISECONDS);
  CHECK(untaken->hasEnded);
  CHECK_FALSE(w.answers(*untaken));
  auto next = w.open();
  CHECK(w.workerOf(*next) != hung);

  // One that was only slow goes on with what it has, and serves nothing that was closed meanwhile.
  kill(hung, SIGCONT);
  CHECK(w.answers(*before));
  CHECK(w.workerOf(*before) == hung);
  // It is not kept for more.
  before->client = nullptr;
  CHECK(w.until([&]() { return w.workers.count() == 1; }));
  CHECK(w.answers(*next));
}

TEST_CASE("a lane of a worker that hangs is closed by order, and when its client has gone") {
  FileWorkerWorld w;
  auto ordered = w.open();
  auto left = w.open();
  CHECK(w.answers(*ordered));
  CHECK(w.answers(*left));
  kill(w.workerOf(*left), SIGSTOP);
  auto ended = ordered->client->onDisconnect();
  ordered->served = nullptr;
  ended.wait(w.scope);
  left->client = nullptr;
  // What is heard of the hang-up begins the wait.
  w.until([&]() {
    w.pass(HANG_UP_LIMIT);
    return left->hasEnded;
  });
  CHECK(left->hasEnded);
}

TEST_CASE("a user whose workers hang is refused, and has another when one of them is gone") {
  FileWorkerWorld w;
  kj::Vector<kj::Own<FileWorkerWorld::TestLane>> lanes;
  for (uint i = 0; i < MAX_USER_FILE_WORKERS; i++) {
    CHECK(w.refusal() == nullptr);
    lanes.add(w.open());
    kill(w.workerOf(*lanes.back()), SIGSTOP);
    auto untaken = w.open();
    w.pass(TAKE_LIMIT);
    CHECK(untaken->hasEnded);
  }
  CHECK(w.refusal() == rpc::Refusal::UNAVAILABLE);
  // The oldest is ended for whoever asks next.
  CHECK(w.until([&]() { return w.workers.count() < MAX_USER_FILE_WORKERS; }));
  CHECK(lanes.front()->hasEnded);
  CHECK_FALSE(lanes.back()->hasEnded);
  CHECK(w.refusal() == nullptr);
  lanes.add(w.open());
  CHECK(w.answers(*lanes.back()));
}

TEST_CASE("a machine has so many workers, and one that is idle goes for another user's") {
  if (geteuid() != 0) SKIP("needs other users");
  FileWorkerWorld w;
  kj::Vector<kj::Own<FileWorkerWorld::TestLane>> lanes;
  for (uint i = 0; i < MAX_FILE_WORKERS; i++) {
    auto user = kj::str("other", i);
    CHECK(w.refusal(user) == nullptr);
    lanes.add(w.open(user));
    CHECK(w.answers(*lanes.back()));
  }
  CHECK(w.refusal("tester") == rpc::Refusal::UNAVAILABLE);
  CHECK(w.refusal("other0") == nullptr);
  CHECK(w.answers(*lanes.front()));
  lanes.front()->client = nullptr;
  CHECK(w.until([&]() { return lanes.front()->hasEnded; }));
  CHECK(w.until([&]() { return w.refusal("tester") == nullptr; }));
  auto lane = w.open("tester");
  CHECK(w.answers(*lane));
}

}  // namespace
}  // namespace bothy
