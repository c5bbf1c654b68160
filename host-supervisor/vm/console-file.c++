#include "vm/console-file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

#include "vm/vm-driver.h"

namespace bothy {
namespace {

constexpr size_t WRITE_SIZE_BYTES = 64 * 1024;
static_assert(WRITE_SIZE_BYTES <= CONSOLE_LIMIT_BYTES / 2);

struct OpenLog {
  kj::AutoCloseFd fd;
  bool isNew;
};

OpenLog openLog(kj::StringPtr path) {
  constexpr int FLAGS = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
  // Others may make or remove it between the two.
  for (;;) {
    int fd = open(path.cStr(), FLAGS);
    if (fd >= 0) return {kj::AutoCloseFd(fd), false};
    if (errno != ENOENT && errno != EINTR) KJ_FAIL_SYSCALL("open", errno, path);
    fd = open(path.cStr(), FLAGS | O_CREAT | O_EXCL, 0600);
    if (fd >= 0) return {kj::AutoCloseFd(fd), true};
    if (errno != EEXIST && errno != EINTR) KJ_FAIL_SYSCALL("open", errno, path);
  }
}

// Unless another has its name by now.
void removeLog(kj::StringPtr path, int fd) {
  struct stat own, there;
  KJ_SYSCALL(fstat(fd, &own), path);
  if (lstat(path.cStr(), &there) < 0) return;
  if (own.st_dev != there.st_dev || own.st_ino != there.st_ino) return;
  if (unlink(path.cStr()) < 0 && errno != ENOENT) KJ_FAIL_SYSCALL("unlink", errno, path);
}

kj::String gapNote(uint64_t bytes) {
  return kj::str("\n[", bytes,
                 " bytes of the console are lost: the host's disk was full or slow]\n");
}

class DiskConsoleFile final: public ConsoleFile {
public:
  DiskConsoleFile(kj::StringPtr path, kj::AutoCloseFd file)
      : path(kj::str(path)), fd(kj::mv(file)) {
    struct stat stats;
    KJ_SYSCALL(fstat(fd, &stats));
    size = stats.st_size;
  }
  KJ_DISALLOW_COPY_AND_MOVE(DiskConsoleFile);

  void append(kj::ArrayPtr<const kj::byte> bytes) override {
    if (lostBytes > 0 && write(gapNote(lostBytes).asBytes())) lostBytes = 0;
    while (lostBytes == 0 && bytes.size() > 0) {
      auto part = bytes.slice(0, kj::min(bytes.size(), WRITE_SIZE_BYTES));
      if (!write(part)) break;
      bytes = bytes.slice(part.size(), bytes.size());
    }
    lostBytes += bytes.size();
  }

  void lose(uint64_t bytes) override {
    lostBytes += bytes;
    append(nullptr);
  }

  kj::Array<kj::byte> end() override {
    auto bytes = kj::heapArray<kj::byte>(kj::min(size, CONSOLE_END_BYTES));
    size_t done = 0;
    while (done < bytes.size()) {
      ssize_t count =
          pread(fd, bytes.begin() + done, bytes.size() - done, size - bytes.size() + done);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return nullptr;
      done += count;
    }
    return bytes;
  }

private:
  const kj::String path;
  kj::AutoCloseFd fd;
  uint64_t size;
  // Of which the file says nothing yet.
  uint64_t lostBytes = 0;
  bool isFull = false;  // the disk was, when it was written to last

  // All of it or, where the disk has no room, nothing: false.
  bool write(kj::ArrayPtr<const kj::byte> bytes) {
    if (size + bytes.size() > CONSOLE_LIMIT_BYTES) dropOlderHalf();
    for (size_t done = 0; done < bytes.size();) {
      ssize_t written = pwrite(fd, bytes.begin() + done, bytes.size() - done, size + done);
      if (written < 0) {
        int error = errno;
        if (error == EINTR) continue;
        if (error == ENOSPC || error == EDQUOT) {
          KJ_SYSCALL(ftruncate(fd, size), path);
          if (!isFull) KJ_LOG(WARNING, "the host's disk is full: a console is not recorded", path);
          isFull = true;
          return false;
        }
        KJ_FAIL_SYSCALL("pwrite", error, path);
      }
      done += written;
    }
    size += bytes.size();
    isFull = false;
    return true;
  }

  void dropOlderHalf() {
    constexpr uint64_t KEPT = CONSOLE_LIMIT_BYTES / 2;
    auto kept = kj::heapArray<kj::byte>(kj::min(size, KEPT));
    ssize_t count;
    KJ_SYSCALL(count = pread(fd, kept.begin(), kept.size(), size - kept.size()));
    KJ_SYSCALL(count = pwrite(fd, kept.begin(), count, 0));
    KJ_SYSCALL(ftruncate(fd, count));
    size = count;
  }
};

}  // namespace

kj::Own<ConsoleFile> newConsoleFile(kj::StringPtr path) {
  return kj::heap<DiskConsoleFile>(path, openLog(path).fd);
}

OpenConsoleFile openConsoleFile(kj::StringPtr path, const std::atomic<bool>& isWithdrawn) {
  auto log = openLog(path);
  if (log.isNew && isWithdrawn) removeLog(path, log.fd);
  auto file = kj::heap<DiskConsoleFile>(path, kj::mv(log.fd));
  auto end = file->end();
  return {kj::mv(file), kj::mv(end)};
}

}  // namespace bothy
