#include "files/archive-pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/vector.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "schema/limits.capnp.h"

namespace bothy {
namespace {

using FdObserver = kj::UnixEventPort::FdObserver;

constexpr size_t READ_BYTES = 4096;

void makeNonBlocking(int fd) {
  KJ_SYSCALL(fcntl(fd, F_SETFL, O_NONBLOCK));
}

class PipeInput final: public kj::AsyncOutputStream {
public:
  PipeInput(kj::UnixEventPort& eventPort, kj::AutoCloseFd fdParam, kj::Promise<void> childGone,
            kj::Own<FileCounters> counters)
      : fd(kj::mv(fdParam)), counters(kj::mv(counters)) {
    observer.emplace(eventPort, fd.get(), FdObserver::OBSERVE_WRITE);
    closing = childGone
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
        // Fails when the child goes meanwhile.
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

}  // namespace

ArchivePipe openArchivePipe(ArchiveDirection direction) {
  int ends[2];
  KJ_SYSCALL(pipe2(ends, O_CLOEXEC));
  ArchivePipe pipe = {kj::AutoCloseFd(ends[0]), kj::AutoCloseFd(ends[1])};
  // Larger chunks at a time; a user over the limit for pipes keeps what pipes have.
  fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(rpc::PREFERRED_CHUNK_BYTES));
  if (direction == ArchiveDirection::TO_CHILD) std::swap(pipe.ours, pipe.theirs);
  makeNonBlocking(pipe.ours.get());
  return pipe;
}

ArchivePipe openControlPair() {
  int ends[2];
  KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  ArchivePipe pair = {kj::AutoCloseFd(ends[0]), kj::AutoCloseFd(ends[1])};
  makeNonBlocking(pair.ours.get());
  return pair;
}

kj::Own<kj::AsyncOutputStream> newPipeInput(kj::UnixEventPort& eventPort, kj::AutoCloseFd pipe,
                                            kj::Promise<void> childGone,
                                            kj::Own<FileCounters> counters) {
  return kj::heap<PipeInput>(eventPort, kj::mv(pipe), kj::mv(childGone), kj::mv(counters));
}

kj::Promise<kj::Array<kj::byte>> readAll(kj::UnixEventPort& eventPort, int fd, size_t limit) {
  FdObserver observer(eventPort, fd, FdObserver::OBSERVE_READ);
  kj::Vector<kj::byte> result;
  kj::byte buffer[READ_BYTES];
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

}  // namespace bothy
