#include "vm/console-log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>

#include "vm/vm-driver.h"

namespace bothy {
namespace {

constexpr size_t READ_SIZE_BYTES = 64 * 1024;
constexpr size_t TURN_READS = 64;
static_assert(READ_SIZE_BYTES <= CONSOLE_LIMIT_BYTES / 2);

kj::AutoCloseFd openLog(kj::StringPtr path) {
  int fd;
  KJ_SYSCALL(fd = open(path.cStr(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), path);
  return kj::AutoCloseFd(fd);
}

kj::String gapNote(uint64_t bytes) {
  return kj::str("\n[", bytes, " bytes of the console are lost: the host's disk was full]\n");
}

}  // namespace

ConsoleLog::ConsoleLog(kj::StringPtr pathParam)
    : path(kj::heapString(pathParam)), fd(openLog(path)) {
  struct stat stats;
  KJ_SYSCALL(fstat(fd, &stats));
  size = stats.st_size;
}

kj::Promise<void> ConsoleLog::record(kj::Timer& timer, kj::Own<kj::AsyncIoStream> console,
                                     kj::Own<kj::PromiseFulfiller<void>> firstWord) {
  auto buffer = kj::heapArray<kj::byte>(READ_SIZE_BYTES);
  size_t turnBytes = 0, turnReads = 0;
  for (;;) {
    size_t count = co_await console->tryRead(buffer.begin(), 1, buffer.size());
    if (count == 0) co_return;
    firstWord->fulfill();
    append(buffer.slice(0, count));
    turnBytes += count;
    ++turnReads;
    if (turnBytes < CONSOLE_TURN_BYTES && turnReads < TURN_READS) continue;
    // Only a timer lets everybody else have a turn.
    co_await timer.afterDelay(turnBytes < CONSOLE_TURN_BYTES ? 0 * kj::NANOSECONDS : CONSOLE_PAUSE);
    turnBytes = turnReads = 0;
  }
}

void ConsoleLog::append(kj::ArrayPtr<const kj::byte> bytes) {
  bool wasFull = lostBytes > 0;
  if (wasFull && write(gapNote(lostBytes).asBytes())) lostBytes = 0;
  while (lostBytes == 0 && bytes.size() > 0) {
    auto part = bytes.slice(0, kj::min(bytes.size(), READ_SIZE_BYTES));
    if (!write(part)) break;
    bytes = bytes.slice(part.size(), bytes.size());
  }
  lostBytes += bytes.size();
  if (lostBytes > 0 && !wasFull) {
    KJ_LOG(WARNING, "the host's disk is full: a console is not recorded", path);
  }
}

bool ConsoleLog::write(kj::ArrayPtr<const kj::byte> bytes) {
  if (size + bytes.size() > CONSOLE_LIMIT_BYTES) dropOlderHalf();
  for (size_t done = 0; done < bytes.size();) {
    ssize_t written = pwrite(fd, bytes.begin() + done, bytes.size() - done, size + done);
    if (written < 0) {
      int error = errno;
      if (error == EINTR) continue;
      if (error == ENOSPC || error == EDQUOT) {
        KJ_SYSCALL(ftruncate(fd, size), path);
        return false;
      }
      KJ_FAIL_SYSCALL("pwrite", error, path);
    }
    done += written;
  }
  size += bytes.size();
  return true;
}

void ConsoleLog::dropOlderHalf() {
  constexpr uint64_t KEPT = CONSOLE_LIMIT_BYTES / 2;
  auto kept = kj::heapArray<kj::byte>(kj::min(size, KEPT));
  ssize_t count;
  KJ_SYSCALL(count = pread(fd, kept.begin(), kept.size(), size - kept.size()));
  KJ_SYSCALL(count = pwrite(fd, kept.begin(), count, 0));
  KJ_SYSCALL(ftruncate(fd, count));
  size = count;
}

}  // namespace bothy
