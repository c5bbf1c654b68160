#include "file-worker/file-worker-test-world.h"

#include <ctype.h>
#include <dirent.h>
#include <kj/debug.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "support/greeted-lane.h"
#include "wire/socket-stream.h"

namespace bothy {
namespace {

// Root becomes this user, who exists nowhere else; anybody else stays who he is.
constexpr uid_t TEST_UID = 54321;
constexpr kj::Duration LONG = 30 * kj::SECONDS;

kj::AsyncIoContext setupIo() {
  Reaper::captureChildExit();
  return kj::setupAsyncIo();
}

Programs::Options optionsFor(kj::StringPtr etc) {
  Programs::Options options;
  options.etcDirectory = kj::str(etc);
  options.defaultUser = kj::str("tester");
  return options;
}

}  // namespace

FileWorkerWorld::FileWorkerWorld()
    : io(setupIo()),
      scope(io.waitScope),
      programs(io.unixEventPort, timer, optionsFor(world.at("etc"))),
      workers(programs),
      uid(geteuid() == 0 ? TEST_UID : geteuid()) {
  world.makeDirectory("etc");
  world.makeDirectory("home");
  auto line = [&](kj::StringPtr name, uid_t number) {
    return kj::str(name, ":x:", number, ':', number, "::", world.at("home"), ":/bin/sh\n");
  };
  kj::Vector<kj::String> lines;
  lines.add(line("tester", uid));
  for (uint i = 0; i < 2 * MAX_FILE_WORKERS; i++) lines.add(line(kj::str("other", i), uid + 1 + i));
  world.write("etc/passwd", kj::strArray(lines, ""));
  world.write("etc/group", "");
  KJ_SYSCALL(chmod(world.path.cStr(), 0755));
  KJ_SYSCALL(chown(world.at("home").cStr(), uid, geteuid() == 0 ? uid : getegid()));
}

kj::Own<FileWorkerWorld::TestLane> FileWorkerWorld::open(kj::StringPtr user) {
  auto lane = kj::heap<TestLane>();
  lane->grant = wholeGrant(rpc::Purpose::FILES);
  lane->grant.verbs = {rpc::Verb::READ_FILES, rpc::Verb::WRITE_FILES};
  lane->grant.user = kj::str(user);
  // Of many lanes of one actor some would not be noted.
  lane->grant.actor = kj::str("actor ", lanesOpened++ / ActionShares::MAX_OF_ACTOR);
  return serve(kj::mv(lane));
}

kj::Own<FileWorkerWorld::TestLane> FileWorkerWorld::openBeneath(kj::StringPtr directory,
                                                                LaneGrant::Verbs verbs) {
  auto lane = kj::heap<TestLane>();
  lane->grant = wholeGrant(rpc::Purpose::FILES);
  lane->grant.verbs = verbs;
  lane->grant.user = kj::str("tester");
  lane->grant.beneath = kj::heapArray<const kj::byte>(world.at(directory).asBytes());
  return serve(kj::mv(lane));
}

kj::Own<FileWorkerWorld::TestLane> FileWorkerWorld::serve(kj::Own<TestLane> lane) {
  int ends[2];
  KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends));
  auto stream =
      kj::heap<VsockStream>(kj::heap<SocketStream>(io.unixEventPort, kj::AutoCloseFd(ends[0])));
  auto& opened = *lane;
  auto found = workers.find(lane->grant);
  KJ_IF_MAYBE (why, found.tryGet<rpc::Refusal>()) KJ_FAIL_REQUIRE("refused", *why);
  auto& ofUser = *lane->ofUser.emplace(kj::mv(found.get<kj::Own<FileLanes::OfUser>>()));
  auto note = kj::heap<FileLaneNote>(ActionNotes{log, kj::systemCoarseCalendarClock(), shares},
                                     opened.grant);
  lane->served = ofUser.serve({opened.grant, rpc::GENERATION, false, kj::mv(note)}, kj::mv(stream))
                     .then([&opened](kj::Maybe<kj::String>) { opened.hasEnded = true; })
                     .eagerlyEvaluate(nullptr);
  lane->client = kj::heap<Lane>(kj::heap<SocketStream>(io.unixEventPort, kj::AutoCloseFd(ends[1])),
                                io.provider->getTimer());
  return lane;
}

bool FileWorkerWorld::answers(TestLane& lane) {
  auto call = lane.files().homeRequest().send().ignoreResult().then(
      []() { return true; }, [](kj::Exception&&) { return false; });
  const bool isAnswered = io.provider->getTimer()
                              .timeoutAfter(LONG, kj::mv(call))
                              .catch_([](kj::Exception&&) { return false; })
                              .wait(scope);
  awaitTaken();
  return isAnswered;
}

pid_t FileWorkerWorld::workerOf(TestLane& lane) {
  auto request = lane.files().statRequest();
  // Its own name is for everybody.
  request.setPath("/proc/self"_kj.asBytes());
  request.setFollowLinks(false);
  auto answer = request.send().wait(scope);
  auto target = answer.getOutcome().getEntry().getLinkTarget().asChars();
  awaitTaken();
  return atoi(kj::str(target).cStr());
}

void FileWorkerWorld::awaitTaken() {
  REQUIRE(until([this]() { return workers.untaken() == 0; }));
}

kj::Maybe<rpc::Refusal> FileWorkerWorld::refusal(kj::StringPtr user) {
  auto grant = wholeGrant(rpc::Purpose::FILES);
  grant.user = kj::str(user);
  auto found = workers.find(grant);
  return found.tryGet<rpc::Refusal>().map([](rpc::Refusal& why) { return why; });
}

void FileWorkerWorld::pass(kj::Duration time) {
  scope.poll();
  timer.advanceTo(timer.now() + time);
  scope.poll();
}

bool FileWorkerWorld::until(kj::Function<bool()> condition) {
  auto& real = io.provider->getTimer();
  const auto limit = real.now() + LONG;
  while (!condition()) {
    if (real.now() >= limit) return false;
    real.afterDelay(5 * kj::MILLISECONDS).wait(scope);
  }
  return true;
}

kj::Vector<pid_t> FileWorkerWorld::processes() {
  kj::Vector<pid_t> result;
  auto proc = opendir("/proc");
  KJ_REQUIRE(proc != nullptr);
  KJ_DEFER(closedir(proc));
  while (auto entry = readdir(proc)) {
    if (isdigit(static_cast<unsigned char>(entry->d_name[0])) == 0) continue;
    auto file = fopen(kj::str("/proc/", entry->d_name, "/stat").cStr(), "re");
    if (file == nullptr) continue;
    KJ_DEFER(fclose(file));
    int pid = 0, parent = 0;
    char state = 0;
    bool isKnown = fscanf(file, "%d (%*[^)]) %c %d", &pid, &state, &parent) == 3;
    if (isKnown && parent == getpid() && state != 'Z') result.add(pid);
  }
  return result;
}

}  // namespace bothy
