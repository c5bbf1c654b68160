#include "actions/piped-action-log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include <kj/debug.h>

#include "actions/action-line.h"
#include "actions/action-writer.h"

namespace bothy {

PipedActionLog::PipedActionLog(Programs& programs, kj::StringPtr directory, kj::StringPtr program)
    : programs(programs), directory(kj::str(directory)), program(kj::str(program)) {}

PipedActionLog::~PipedActionLog() noexcept(false) {}

void PipedActionLog::addLater(kj::Function<kj::String()> makeLine) {
  if (isClosed) return;
  held.add(kj::mv(makeLine));
  if (held.size() >= MAX_HELD_LINES) return writeHeld();
  if (held.size() > 1) return;
  holding = programs.timer.afterDelay(HOLD_TIME)
                .then([this]() { writeHeld(); })
                .eagerlyEvaluate([](kj::Exception&& e) {
                  KJ_LOG(ERROR, "actions are not noted", e.getDescription());
                });
}

void PipedActionLog::writeHeld() {
  auto lines = kj::mv(held);
  for (auto& makeLine : lines) writeOrCount(makeLine());
}

void PipedActionLog::writeOrCount(kj::StringPtr line) {
  if (pipe == nullptr && mayStart()) start();
  const bool isNoted = lost == 0 || write(linesLost(kj::systemCoarseCalendarClock().now(), lost));
  if (isNoted) lost = 0;
  if (!isNoted || !write(line)) ++lost;
}

void PipedActionLog::close() {
  writeHeld();
  isClosed = true;
  pipe = nullptr;
}

bool PipedActionLog::mayStart() const {
  if (programs.machineEnds) return false;
  KJ_IF_MAYBE (last, started) return programs.timer.now() - *last >= RESTART_PAUSE;
  return true;
}

void PipedActionLog::start() {
  started = programs.timer.now();
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return;
  kj::AutoCloseFd theirs(ends[0]), ours(ends[1]);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || fcntl(ours, F_SETFL, O_NONBLOCK) < 0) return;
  kj::AutoCloseFd nullDevice(null);
  auto arguments = kj::heapArrayBuilder<kj::String>(3);
  arguments.add(kj::str("bothy-actions"));
  arguments.add(kj::str(ACTION_WRITER));
  arguments.add(kj::str(directory));
  running = run(programs.spawner.spawn(SpawnRequest{
                    .programs = kj::arr(kj::str(program)),
                    .arguments = arguments.finish(),
                    .environment = nullptr,
                    .workingDirectory = kj::str("/"),
                    .credentials = nullptr,
                    .standardFds = {theirs.get(), nullDevice.get(), nullDevice.get()},
                    .cgroupFd = nullptr,
                }))
                .eagerlyEvaluate([](kj::Exception&& e) {
                  KJ_LOG(WARNING, "nobody writes the log of actions", e.getDescription());
                });
  pipe = kj::mv(ours);
}

kj::Promise<void> PipedActionLog::run(
    kj::Promise<kj::OneOf<SpawnedProcess, SpawnFailure>> spawning) {
  auto outcome = co_await spawning;
  KJ_IF_MAYBE (failure, outcome.tryGet<SpawnFailure>()) {
    KJ_LOG(WARNING, "the writer of the log of actions cannot be started",
           strerror(failure->errorNumber));
  } else {
    co_await outcome.get<SpawnedProcess>().exit;
  }
  pipe = nullptr;
}

bool PipedActionLog::write(kj::StringPtr line) {
  KJ_IF_MAYBE (fd, pipe) {
    return line.size() <= PIPE_BUF &&
           ::write(*fd, line.begin(), line.size()) == static_cast<ssize_t>(line.size());
  }
  return false;
}

}  // namespace bothy
