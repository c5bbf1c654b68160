#include "files/archive-child.h"

#include <capnp/serialize.h>
#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "files/archive-worker.h"
#include "schema/files.capnp.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

using FdObserver = kj::UnixEventPort::FdObserver;

struct Pipe {
  kj::AutoCloseFd readEnd;
  kj::AutoCloseFd writeEnd;
};

Pipe openPipe() {
  int ends[2];
  KJ_SYSCALL(pipe2(ends, O_CLOEXEC));
  Pipe pipe = {kj::AutoCloseFd(ends[0]), kj::AutoCloseFd(ends[1])};
  // Larger chunks at a time; a user over the limit for pipes keeps what pipes have.
  fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(rpc::PREFERRED_CHUNK_BYTES));
  return pipe;
}

Pipe openControl() {
  int ends[2];
  KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  return {kj::AutoCloseFd(ends[0]), kj::AutoCloseFd(ends[1])};
}

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

void makeNonBlocking(int fd) {
  KJ_SYSCALL(fcntl(fd, F_SETFL, O_NONBLOCK));
}

// The pipe to a reader, closed when that has gone, whoever holds this.
class PipeInput final: public kj::AsyncOutputStream {
public:
  PipeInput(kj::UnixEventPort& eventPort, kj::AutoCloseFd fdParam, kj::Promise<void> readerGone,
            kj::Own<FileCounters> counters)
      : fd(kj::mv(fdParam)), counters(kj::mv(counters)) {
    observer.emplace(eventPort, fd.get(), FdObserver::OBSERVE_WRITE);
    closing = readerGone
                  .then([this]() {
                    observer = nullptr;
                    fd = nullptr;
                  })
                  .eagerlyEvaluate(nullptr);
  }

  kj::Promise<void> write(const void* data, size_t size) override {
    auto bytes = static_cast<const kj::byte*>(data);
    while (size > 0) {
      auto count = ::write(fd.get(), bytes, size);
      if (count >= 0) {
        bytes += count;
        size -= count;
        counters->bytesWritten += count;
      } else if (errno == EAGAIN) {
        // Fails when the reader goes meanwhile.
        co_await KJ_ASSERT_NONNULL(observer).whenBecomesWritable().catch_([](kj::Exception&&) {});
      } else if (errno != EINTR) {
        kj::throwFatalException(
            KJ_EXCEPTION(DISCONNECTED, "the unpacking has ended; see its result"));
      }
    }
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    for (auto& piece : pieces) co_await write(piece.begin(), piece.size());
  }
  kj::Promise<void> whenWriteDisconnected() override {
    KJ_IF_MAYBE (open, observer) {
      return open->whenWriteDisconnected().catch_([](kj::Exception&&) {});
    }
    return kj::READY_NOW;
  }

private:
  kj::AutoCloseFd fd;
  kj::Own<FileCounters> counters;
  kj::Maybe<FdObserver> observer;
  kj::Promise<void> closing = nullptr;
};

// Appends what a pipe has until its end or `limit`.
kj::Promise<kj::Array<kj::byte>> readAll(kj::UnixEventPort& eventPort, int fd, size_t limit) {
  FdObserver observer(eventPort, fd, FdObserver::OBSERVE_READ);
  kj::Vector<kj::byte> result;
  kj::byte buffer[4096];
  while (result.size() < limit) {
    auto count = ::read(fd, buffer, sizeof(buffer));
    if (count > 0) {
      result.addAll(buffer, buffer + count);
    } else if (count == 0) {
      break;
    } else if (errno == EAGAIN) {
      co_await observer.whenBecomesReadable();
    } else if (errno != EINTR) {
      break;
    }
  }
  co_return result.releaseAsArray();
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
  auto archive = openPipe();
  auto control = openControl();
  auto& theirs = task == Task::PACK ? archive.writeEnd : archive.readEnd;
  auto& ours = task == Task::PACK ? archive.readEnd : archive.writeEnd;
  makeNonBlocking(ours.get());
  makeNonBlocking(control.readEnd.get());

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
      .standardFds = {directory.get(), theirs.get(), control.writeEnd.get()},
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
                                   kj::mv(ours), kj::mv(control.readEnd), kj::mv(turn));
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
  return kj::heap<PipeInput>(programs.eventPort, kj::mv(archive), exit.addBranch().ignoreResult(),
                             kj::mv(counters));
}

kj::Promise<void> ArchiveChild::pumpTo(SinkWriter& writer, FilesLimits& limits,
                                       FileCounts& counts) {
  auto fd = kj::mv(archive);
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
