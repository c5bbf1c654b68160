#include "process/child-process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <kj/debug.h>

#include "process/marked-fd.h"
#include "schema/agent.capnp.h"

namespace bothy {

namespace {

using Outcome = kj::OneOf<kj::Own<ChildProcess>, StartFailure>;
using Place = ChildProcess::Place;

kj::String nameOf(kj::StringPtr program) {
  return kj::str(program.slice(0, kj::min(program.size(), size_t{rpc::MAX_EVENT_NAME_BYTES})));
}

// What became of a start, and its request if it failed.
struct Attempt {
  Outcome outcome;
  kj::Maybe<SpawnRequest> request;
};

kj::Promise<Attempt> startIn(Programs& programs, kj::Own<ProcessTree> tree, Place place,
                             SpawnRequest request) {
  // Of a longer one no more is told.
  FailureText program(request.arguments[0]);
  auto workingDirectory = kj::str(request.workingDirectory);
  auto size = ArgumentSize::of(request);
  auto timeLimit = request.timeLimit;
  const auto kind = request.kind;
  const auto user = request.user();
  auto mark = tree->markAs(programs.touches, user);
  request.cgroupFd = tree->cgroupFd();
  // Cancelled between execve(2) and our hearing of it, the program may have begun to fork.
  bool settled = false;
  KJ_DEFER(if (!settled) tree->kill());
  auto outcome = co_await programs.spawner.spawn(kj::mv(request), tree->takePrepared());
  settled = true;
  KJ_SWITCH_ONEOF(outcome) {
    KJ_CASE_ONEOF(failure, SpawnFailure) {
      auto explained = explain(failure, program.asPtr(), workingDirectory, size);
      co_return Attempt{kj::mv(explained), kj::mv(failure.request)};
    }
    KJ_CASE_ONEOF(process, SpawnedProcess) {
      if (process.isOutsideCgroup) {
        tree = programs.trees.createWithoutCgroup();
        mark = tree->markAs(programs.touches, user);
      }
      tree->adopt(process.pid);
      auto missingHome = process.homeError.map(
          [&](int error) { return MissingHome{kj::mv(workingDirectory), error}; });
      co_return Attempt{
          kj::refcounted<ChildProcess>(programs, kj::mv(process), kj::mv(tree), mark, place,
                                       ChildProcess::Label{kind, nameOf(program.asPtr())},
                                       timeLimit, kj::mv(missingHome)),
          nullptr};
    }
  }
  KJ_UNREACHABLE;
}

kj::Promise<Outcome> startInReserve(Programs& programs, kj::Own<ProcessTree> tree,
                                    SpawnRequest request) {
  request.userProcesses = SpawnRequest::UserProcesses::UNLIMITED;
  auto attempt = co_await startIn(programs, kj::mv(tree), Place::RESERVE, kj::mv(request));
  co_return kj::mv(attempt.outcome);
}

// Of the kernel: processes or memory.
bool lacksRoom(const Outcome& outcome) {
  KJ_IF_MAYBE (failure, outcome.tryGet<StartFailure>()) {
    return failure->reason == rpc::StartFailure::Reason::LIMIT_REACHED &&
           (failure->errorNumber == EAGAIN || failure->errorNumber == ENOMEM);
  }
  return false;
}

MarkedFd duplicate(int original, ProgramMark mark) {
  int fd;
  KJ_SYSCALL(fd = fcntl(original, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  return {kj::AutoCloseFd(fd), mark};
}

kj::Promise<Outcome> startOnTerminal(Programs& programs, SpawnRequest request) {
  // Asked before: a shell that just fits in cannot start anything.
  if (programs.trees.isScarce()) {
    KJ_IF_MAYBE (tree, programs.trees.createInReserve()) {
      co_return co_await startInReserve(programs, kj::mv(*tree), kj::mv(request));
    }
  }
  // The caller's is closed by when the start has failed: all three are the terminal.
  auto terminal = duplicate(request.standardFds[0], programs.touches.markOf(request.user()));
  auto attempt = co_await startIn(programs, programs.trees.create(ProgramKind::TERMINAL),
                                  Place::AMONG_PROGRAMS, kj::mv(request));
  if (lacksRoom(attempt.outcome) && !programs.machineEnds) {
    KJ_IF_MAYBE (again, attempt.request) {
      KJ_IF_MAYBE (tree, programs.trees.createInReserve()) {
        for (int& fd : again->standardFds) fd = terminal.get();
        co_return co_await startInReserve(programs, kj::mv(*tree), kj::mv(*again));
      }
    }
  }
  co_return kj::mv(attempt.outcome);
}

}  // namespace

kj::Promise<kj::OneOf<kj::Own<ChildProcess>, StartFailure>> ChildProcess::start(
    Programs& programs, SpawnRequest request) {
  if (request.kind == ProgramKind::TERMINAL) return startOnTerminal(programs, kj::mv(request));
  auto tree = programs.trees.create(request.kind);
  return startIn(programs, kj::mv(tree), Place::AMONG_PROGRAMS, kj::mv(request))
      .then([](Attempt&& attempt) { return kj::mv(attempt.outcome); });
}

ChildProcess::ChildProcess(Programs& programs, SpawnedProcess process, kj::Own<ProcessTree> tree,
                           ProgramMark mark, Place place, Label label,
                           kj::Maybe<kj::Duration> timeLimit, kj::Maybe<MissingHome> missingHome)
    : programs(programs),
      leader(process.pid),
      programMark(mark),
      place(place),
      label(kj::mv(label)),
      home(kj::mv(missingHome)),
      tree(kj::mv(tree)),
      exit(run(kj::mv(process.exit)).fork()) {
  KJ_IF_MAYBE (limit, timeLimit) {
    deadline = endAfter(*limit).eagerlyEvaluate(nullptr);
  }
}

ChildProcess::~ChildProcess() noexcept(false) {}

kj::Promise<ExitStatus> ChildProcess::run(kj::Promise<ExitStatus> exit) {
  programs.programBegan(label.kind);
  // Also where nobody waits for its end any more.
  KJ_DEFER(programs.programStopped(label.kind));
  auto status = co_await exit;
  if (isTimedOut) {
    co_await end().exclusiveJoin(
        programs.timer.afterDelay(END_LIMIT + rpc::KILL_GRACE_MILLIS * kj::MILLISECONDS));
    status = {ExitStatus::Kind::TIMED_OUT};
  }
  status.usage = tree->usage();
  KJ_IF_MAYBE (listener, programs.listener) {
    listener->programEnded({leader, label.kind, kj::str(label.name), status});
  }
  co_return status;
}

kj::Promise<void> ChildProcess::endAfter(kj::Duration timeLimit) {
  co_await programs.timer.afterDelay(timeLimit);
  if (!isRunning()) co_return;
  isTimedOut = true;
  // It goes on in the background.
  end().detach([](kj::Exception&&) {});
}

kj::Promise<bool> ChildProcess::signal(int number, rpc::SignalScope scope) {
  if (scope != rpc::SignalScope::TREE) return isRunning() && ::kill(leader, number) == 0;
  if (number != SIGKILL) return tree->signal(kj::arr(number)).attach(kj::addRef(*this));
  bool delivered = tree->count() > 0;
  tree->kill();
  return delivered;
}

kj::Promise<void> ChildProcess::end() {
  KJ_IF_MAYBE (running, ending) {
    return running->addBranch();
  }
  auto& fork = ending.emplace(runEnd().fork());
  programs.runInBackground(fork.addBranch().attach(kj::addRef(*this)));
  return fork.addBranch();
}

void ChildProcess::releaseTree() {
  if (isRunning() || isEnding || tree->count() > 0) return;
  tree = programs.trees.createWithoutCgroup();
}

kj::Promise<void> ChildProcess::runEnd() {
  isEnding = true;
  KJ_DEFER(isEnding = false);
  // Counts from the order, however long the signals take.
  auto grace = programs.timer.afterDelay(rpc::KILL_GRACE_MILLIS * kj::MILLISECONDS);
  // A stopped process gets the first two only when it goes on.
  co_await tree->signal(kj::arr(SIGHUP, SIGTERM, SIGCONT));
  co_await tree->onEmpty().exclusiveJoin(kj::mv(grace));
  tree->kill();
  co_await tree->onEmpty();
}

}  // namespace bothy
