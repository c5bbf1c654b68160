#include "file-worker/file-worker.h"

#include <capnp/serialize.h>
#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "file-worker/file-worker-main.h"
#include "schema/file-worker.capnp.h"
#include "schema/limits.capnp.h"
#include "wire/escape.h"

namespace bothy {
namespace {

using FdObserver = kj::UnixEventPort::FdObserver;

// Reports that are read in a turn of the event loop, before others have theirs.
constexpr uint TURN_REPORTS = 16;

kj::AutoCloseFd openCounter() {
  int fd;
  KJ_SYSCALL(fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  return kj::AutoCloseFd(fd);
}

FileCounts countsOf(rpc::WorkerReport::Counts::Reader counts) {
  return {counts.getFilesRead(), counts.getFilesWritten(), counts.getBytesRead(),
          counts.getBytesWritten(), counts.getChanges()};
}

bool isSame(kj::ArrayPtr<const gid_t> one, kj::ArrayPtr<const gid_t> other) {
  return one == other;
}

}  // namespace

FileWorker::FileWorker(Programs& programs, SpawnRequest::Credentials credentials)
    : programs(programs),
      credentials(kj::mv(credentials)),
      socket(openWorkerSocket()),
      reports(openReportPipe()),
      receipts(openCounter()) {}

FileWorker::~FileWorker() noexcept(false) {
  Touch touch(mark);
  reports.agent = nullptr;
}

bool FileWorker::isOf(const User& user) const {
  return credentials.uid == user.uid && credentials.gid == user.gid &&
         isSame(credentials.groups, user.groups);
}

bool FileWorker::hasReceived(uint64_t number) {
  // Whatever it says is about its own lanes.
  received += takeReceipts(receipts.get());
  return received >= number;
}

size_t FileWorker::untaken() {
  size_t result = 0;
  for (auto& lane : lanes) result += hasReceived(lane.number) ? 0 : 1;
  return result;
}

kj::Promise<bool> FileWorker::run() {
  auto started = co_await start();
  KJ_IF_MAYBE (process, started) {
    pid = process->pid;
    KJ_IF_MAYBE (members, tree) (*members)->adopt(process->pid);
    if (isStuck && isEnding) kill();
    auto hearing = hear().then([this]() -> kj::Promise<void> {
      // Nobody hears it any more.
      KJ_IF_MAYBE (number, pid) ::kill(*number, SIGKILL);
      return kj::NEVER_DONE;
    });
    co_await process->exit.ignoreResult().exclusiveJoin(kj::mv(hearing));
    pid = nullptr;
    // What it said before, of which the end was heard first.
    hearRest();
  } else {
    countNothing();
  }
  isEnding = hasEnded = true;
  tree = nullptr;
  // Whoever has a lane when the machine ends sees it end with the machine.
  if (programs.machineEnds) co_await kj::Promise<void>(kj::NEVER_DONE);
  for (auto& lane : lanes) lane.ended.fulfiller->fulfill(nullptr);
  co_return started != nullptr;
}

kj::Promise<kj::Maybe<SpawnedProcess>> FileWorker::start() {
  auto& members = *tree.emplace(programs.trees.create());
  kj::Maybe<SpawnRequest::Credentials> theirs;
  // Where the agent cannot become another (a test), the worker is who the agent is.
  mark = members.markAs(programs.touches, geteuid() == 0 ? credentials.uid : geteuid());
  if (geteuid() == 0) {
    theirs = SpawnRequest::Credentials{credentials.uid, credentials.gid,
                                       kj::heapArray(credentials.groups.asPtr())};
  }
  auto outcome = co_await programs.spawner.spawn(SpawnRequest{
      .programs = kj::arr(kj::str("/proc/self/exe")),
      .arguments = fileWorkerArguments(),
      .environment = nullptr,
      .workingDirectory = kj::str("/"),
      .credentials = kj::mv(theirs),
      .standardFds = {socket.worker, receipts, reports.worker},
      .cgroupFd = members.cgroupFd(),
  });
  socket.worker = nullptr;
  {
    Touch touch(mark);
    reports.worker = nullptr;
  }
  KJ_IF_MAYBE (failure, outcome.tryGet<SpawnFailure>()) {
    KJ_LOG(ERROR, "no file worker could be started", credentials.uid,
           static_cast<int>(failure->stage), strerror(failure->errorNumber));
    co_return nullptr;
  }
  co_return kj::mv(outcome.get<SpawnedProcess>());
}

kj::Promise<kj::Maybe<kj::String>> FileWorker::serve(FileLane lane, kj::StringPtr home,
                                                     kj::AutoCloseFd laneSocket) {
  auto self = kj::addRef(*this);
  idleTask = nullptr;
  Handed handed(++lastNumber, kj::mv(lane.note));
  lanes.add(handed);
  // A worker that hangs may have it, and still have it later: it is closed for whoever has it.
  KJ_DEFER({
    {
      Touch touch(mark);
      shutdown(laneSocket, SHUT_RDWR);
      laneSocket = nullptr;
    }
    leave(handed);
  });
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<rpc::HandedLane>();
  root.setNumber(handed.number);
  lane.grant.writeTo(root.initGrant());
  root.setGeneration(lane.generation);
  root.setBulk(lane.isBulk);
  root.setHome(home.size() <= rpc::MAX_PATH_BYTES ? home : "/"_kj);
  if (sendPacket(socket.agent, message, laneSocket) != 0) {
    isStuck = true;
    handed.note->count({});
    handed.note = nullptr;
    co_return nullptr;
  }
  auto hungUp = onHangUp(laneSocket)
                    .then([this]() { return programs.timer.afterDelay(HANG_UP_LIMIT); })
                    .then([]() -> kj::Maybe<kj::String> { return nullptr; });
  auto notReceived = programs.timer.afterDelay(TAKE_LIMIT)
                         .then([this, &handed]() -> kj::Promise<kj::Maybe<kj::String>> {
                           if (hasReceived(handed.number)) return kj::NEVER_DONE;
                           isStuck = true;
                           return kj::Maybe<kj::String>();
                         });
  co_return co_await handed.ended.promise.exclusiveJoin(kj::mv(hungUp))
      .exclusiveJoin(kj::mv(notReceived));
}

kj::Promise<void> FileWorker::onHangUp(int laneSocket) {
  // epoll(7) would take the lane's lock, which its worker may hold, while the event loop waits for all: nobody could tell for whom.
  for (auto pause = FIRST_HANG_UP_LOOK;; pause = kj::min(pause * 2, LAST_HANG_UP_LOOK)) {
    co_await programs.timer.afterDelay(pause);
    pollfd state = {laneSocket, 0, 0};
    Touch touch(mark);
    if (poll(&state, 1, 0) > 0) co_return;
  }
}

void FileWorker::leave(Handed& lane) {
  lanes.remove(lane);
  if (lane.note.get() != nullptr && !hasEnded) {
    unreported.push_back({lane.number, kj::mv(lane.note)});
    if (unreported.size() > MAX_UNREPORTED_LANES) unreported.pop_front();
  }
  if (!lanes.empty() || isEnding) return;
  if (isStuck) {
    kill();
    return;
  }
  idleTask = programs.timer.afterDelay(WORKER_IDLE_LIMIT)
                 .then([this]() { end(); })
                 .eagerlyEvaluate(nullptr);
}

void FileWorker::countNothing() {
  for (auto& lane : lanes) {
    if (lane.note.get() != nullptr) lane.note->count({});
  }
  for (auto& lane : unreported) lane.note->count({});
}

void FileWorker::end() {
  isEnding = true;
  shutdown(socket.agent, SHUT_WR);
  endTask = programs.timer.afterDelay(WORKER_END_LIMIT)
                .then([this]() { kill(); })
                .eagerlyEvaluate(nullptr);
}

void FileWorker::kill() {
  isStuck = isEnding = true;
  // The kernel may not let it go for long.
  for (auto& lane : lanes) lane.ended.fulfiller->fulfill(nullptr);
  KJ_IF_MAYBE (number, pid) {
    if (!programs.reaper.isAlive(*number)) return;
    ::kill(*number, SIGKILL);
    KJ_IF_MAYBE (members, tree) (*members)->kill();
  }
}

kj::Promise<void> FileWorker::hear() {
  FdObserver observer(programs.eventPort, reports.agent, FdObserver::OBSERVE_READ);
  for (;;) {
    for (uint i = 0; i < TURN_REPORTS; i++) {
      auto received = [this]() {
        Touch touch(mark);
        return receiveReport(reports.agent);
      }();
      KJ_IF_MAYBE (words, received) {
        if (words->size() == 0) co_return;
        if (++heard > lastNumber) {
          kill();
          co_return;
        }
        accept(*words);
      } else {
        co_await observer.whenBecomesReadable();
      }
    }
    co_await programs.timer.afterDelay(0 * kj::NANOSECONDS);
  }
}

void FileWorker::hearRest() {
  for (uint i = 0; i < PIPE_REPORTS; i++) {
    auto received = [this]() {
      Touch touch(mark);
      return receiveReport(reports.agent);
    }();
    KJ_IF_MAYBE (words, received) {
      if (words->size() == 0) return;
      accept(*words);
    } else {
      return;
    }
  }
}

void FileWorker::accept(kj::ArrayPtr<const capnp::word> words) {
  auto fault = kj::runCatchingExceptions([&]() {
    capnp::FlatArrayMessageReader message(words);
    auto report = message.getRoot<rpc::WorkerReport>();
    const auto number = report.getLane();
    const auto counts = countsOf(report.getCounts());
    for (auto& lane : lanes) {
      if (lane.number != number || lane.note.get() == nullptr) continue;
      lane.note->count(counts);
      lane.note = nullptr;
      kj::Maybe<kj::String> breach;
      auto text = report.getBreach();
      if (text.size() > 0)
        breach = escapeGuestText(text.slice(0, kj::min(text.size(), MAX_BREACH_BYTES)));
      lane.ended.fulfiller->fulfill(kj::mv(breach));
      return;
    }
    noteUnreported(number, counts);
  });
  if (fault != nullptr) kill();
}

void FileWorker::noteUnreported(uint64_t number, const FileCounts& counts) {
  for (auto lane = unreported.begin(); lane != unreported.end(); ++lane) {
    if (lane->number != number) continue;
    lane->note->count(counts);
    unreported.erase(lane);
    return;
  }
}

}  // namespace bothy
