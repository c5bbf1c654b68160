#include "files/archive-child.h"

#include <capnp/serialize.h>
#include <errno.h>
#include <kj/debug.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "files/archive-pipes.h"
#include "files/archive-worker.h"
#include "schema/files.capnp.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

kj::StringPtr nameOf(ArchiveChild::Task task) {
  switch (task) {
    case ArchiveChild::Task::PACK:
      return "pack";
    case ArchiveChild::Task::UNPACK:
      return "unpack";
    case ArchiveChild::Task::UNPACK_WHOLE:
      return "unpack-whole";
  }
  KJ_UNREACHABLE;
}

// As `exec` has it, whose programs end with the same signal.
FileProblem machineEnding() {
  return FileProblem::of(FileProblem::Reason::OTHER,
                         kj::str("the workspace's machine is ending: try again when it runs"));
}

// Of a worker that has not told what came of its task.
FileProblem describeEnd(ExitStatus status) {
  auto text = [&] {
    constexpr kj::StringPtr WHAT = "what copies trees in the workspace"_kj;
    switch (status.kind) {
      case ExitStatus::Kind::KILLED:
        return kj::str(WHAT, " was ended by signal ", status.number, " (", strsignal(status.number),
                       "): try again");
      case ExitStatus::Kind::EXITED:
        return kj::str(WHAT, " failed without a reason (exit code ", status.number, ")");
      case ExitStatus::Kind::LOST:
      case ExitStatus::Kind::TIMED_OUT:
        break;
    }
    return kj::str(WHAT, " ended, but how is not known");
  };
  return FileProblem::of(FileProblem::Reason::OTHER, text());
}

// None: there is none.  A worker is the user's: what it reports is read as anything of a peer's.
kj::Maybe<FileResult<TreeCounts>> parseReport(kj::ArrayPtr<const kj::byte> bytes) {
  auto words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
  if (words.size() == 0) return nullptr;
  memcpy(words.begin(), bytes.begin(), words.size() * sizeof(capnp::word));
  kj::Maybe<FileResult<TreeCounts>> result;
  auto fault = kj::runCatchingExceptions([&] {
    capnp::FlatArrayMessageReader message(words);
    auto outcome = message.getRoot<rpc::Files::TreeOutcome>();
    if (outcome.isDone()) {
      result = TreeCounts{outcome.getDone().getEntries(), outcome.getDone().getSkipped()};
    } else {
      auto failed = outcome.getFailed();
      result = FileProblem{failed.getReason(), failed.getErrorNumber(),
                           kj::str(failed.getMessage()), kj::str(failed.getPath().asChars())};
    }
  });
  if (fault != nullptr) return nullptr;
  return result;
}

}  // namespace

kj::Promise<FileResult<kj::Own<ArchiveChild>>> ArchiveChild::start(Programs& programs, Task task,
                                                                   kj::AutoCloseFd directory,
                                                                   kj::String name,
                                                                   kj::Own<void> turn) {
  if (programs.machineEnds) co_return machineEnding();
  auto archive = openArchivePipe(task == Task::PACK ? ArchiveDirection::FROM_CHILD
                                                    : ArchiveDirection::TO_CHILD);
  auto control = openControlPair();

  auto arguments = kj::heapArrayBuilder<kj::String>(4);
  arguments.add(kj::str("bothy-archive"));
  arguments.add(kj::str("--archive-worker"));
  arguments.add(kj::str(nameOf(task)));
  arguments.add(kj::mv(name));
  auto outcome = co_await programs.spawner.spawn(SpawnRequest{
      .programs = kj::arr(kj::str("/proc/self/exe")),
      .arguments = arguments.finish(),
      .environment = nullptr,
      .workingDirectory = kj::str("/"),
      .credentials = nullptr,
      .standardFds = {directory.get(), archive.theirs.get(), control.theirs.get()},
      .cgroupFd = nullptr,
  });
  if (outcome.is<SpawnFailure>()) {
    auto& failure = outcome.get<SpawnFailure>();
    auto problem = FileProblem::fromErrno(failure.errorNumber);
    if (failure.stage == SpawnFailure::Stage::MEMORY) {
      problem.message =
          kj::str("maxStartingBytes: too much memory is held by what is about to start");
    }
    co_return kj::mv(problem);
  }
  co_return kj::heap<ArchiveChild>(programs, task, kj::mv(outcome.get<SpawnedProcess>()),
                                   kj::mv(archive.ours), kj::mv(control.ours), kj::mv(turn));
}

ArchiveChild::ArchiveChild(Programs& programs, Task task, SpawnedProcess process,
                           kj::AutoCloseFd archive, kj::AutoCloseFd control, kj::Own<void> turn)
    : programs(programs),
      task(task),
      pid(process.pid),
      exit(process.exit.fork()),
      exitWatch(
          exit.addBranch().then([this](ExitStatus) { isAlive = false; }).eagerlyEvaluate(nullptr)),
      archive(kj::mv(archive)),
      control(kj::mv(control)) {
  // Not with this object: what is limited is the processes.
  programs.runInBackground(exit.addBranch().ignoreResult().attach(kj::mv(turn)));
}

ArchiveChild::~ArchiveChild() noexcept(false) {
  stop();
}

void ArchiveChild::stop() {
  // Its number may be another's by now.
  if (!isAlive || !programs.reaper.isAlive(pid)) return;
  if (task == Task::UNPACK_WHOLE) {
    // Also for a worker that waits for the confirmation, or will: it can still report.
    ::shutdown(control.get(), SHUT_WR);
    ::kill(pid, SIGTERM);
  } else {
    ::kill(pid, SIGKILL);
  }
}

void ArchiveChild::confirmEnd() {
  // A worker that has ended takes none.
  send(control.get(), &CONFIRMATION, sizeof(CONFIRMATION), MSG_NOSIGNAL | MSG_DONTWAIT);
}

kj::Own<kj::AsyncOutputStream> ArchiveChild::takeInput(kj::Own<FileCounters> counters) {
  return newPipeInput(programs.eventPort, kj::mv(archive), exit.addBranch().ignoreResult(),
                      kj::mv(counters));
}

kj::Promise<void> ArchiveChild::pumpTo(SinkWriter& writer, FilesLimits& limits,
                                       FileCounts& counts) {
  auto fd = kj::mv(archive);
  using FdObserver = kj::UnixEventPort::FdObserver;
  FdObserver observer(programs.eventPort, fd.get(), FdObserver::OBSERVE_READ);
  while (true) {
    // No pipe gives more at a time than it holds.
    auto space = writer.buffer(kj::min(limits.chunkBytes(), size_t{rpc::PREFERRED_CHUNK_BYTES}));
    ssize_t count;
    while ((count = ::read(fd.get(), space.begin(), space.size())) < 0) {
      if (errno == EAGAIN) {
        co_await observer.whenBecomesReadable();
      } else if (errno != EINTR) {
        KJ_FAIL_SYSCALL("read(archive)", errno);
      }
    }
    if (count == 0) co_return;
    counts.bytesRead += count;
    co_await writer.send(count);
  }
}

kj::Promise<FileResult<TreeCounts>> ArchiveChild::result() {
  auto bytes = co_await readAll(programs.eventPort, control.get(), MAX_REPORT_BYTES);
  auto status = co_await exit.addBranch();
  control = nullptr;
  const bool isReported = status == ExitStatus{ExitStatus::Kind::EXITED, 0};
  KJ_IF_MAYBE (report, parseReport(bytes)) {
    if (report->is<FileProblem>()) {
      // One that has given up did so for the signal that all programs got.
      auto reason = report->get<FileProblem>().reason;
      if (programs.machineEnds && reason == FileProblem::Reason::ABANDONED)
        co_return machineEnding();
      co_return kj::mv(*report);
    }
    if (isReported) co_return kj::mv(*report);
  }
  if (programs.machineEnds) co_return machineEnding();
  co_return describeEnd(status);
}

}  // namespace bothy
