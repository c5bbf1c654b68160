#include "vm/console-log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>

#include "vm/vm-driver.h"

namespace bothy {
namespace {

constexpr size_t READ_SIZE_BYTES = 64 * 1024;
static_assert(READ_SIZE_BYTES <= CONSOLE_LIMIT_BYTES / 2);

kj::AutoCloseFd openLog(kj::StringPtr path) {
  int fd;
  KJ_SYSCALL(fd = open(path.cStr(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), path);
  return kj::AutoCloseFd(fd);
}

}  // namespace

ConsoleLog::ConsoleLog(kj::StringPtr path) : fd(openLog(path)) {
  struct stat stats;
  KJ_SYSCALL(fstat(fd, &stats));
  size = stats.st_size;
}

kj::Promise<void> ConsoleLog::record(kj::Own<kj::AsyncIoStream> console,
                                     kj::Own<kj::PromiseFulfiller<void>> firstWord) {
  auto buffer = kj::heapArray<kj::byte>(READ_SIZE_BYTES);
  for (;;) {
    size_t count = co_await console->tryRead(buffer.begin(), 1, buffer.size());
    if (count == 0) co_return;
    firstWord->fulfill();
    append(buffer.slice(0, count));
  }
}

void ConsoleLog::append(kj::ArrayPtr<const kj::byte> bytes) {
  while (bytes.size() > 0) {
    auto part = bytes.slice(0, kj::min(bytes.size(), READ_SIZE_BYTES));
    if (size + part.size() > CONSOLE_LIMIT_BYTES) dropOlderHalf();
    ssize_t written;
    KJ_SYSCALL(written = pwrite(fd, part.begin(), part.size(), size));
    size += written;
    bytes = bytes.slice(written, bytes.size());
  }
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
