#include "boot/boot-record.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <utmp.h>

namespace bothy {
namespace {

// As Debian has them; gid 43 is `utmp`.
constexpr mode_t RECORDS_MODE = 0664;
constexpr gid_t RECORDS_GROUP = 43;

template <size_t size>
void put(char (&field)[size], const char* text) {
  // Not terminated if it fills the field, as utmp(5) has it.
  memcpy(field, text, strnlen(text, size));
}

struct utmp recordOf(RecordKind kind) {
  struct utmp record = {};
  record.ut_type = kind == RecordKind::BOOT ? BOOT_TIME : RUN_LVL;
  put(record.ut_user, kind == RecordKind::BOOT ? "reboot" : "shutdown");
  put(record.ut_id, "~~");
  put(record.ut_line, "~");
  struct utsname kernel;
  KJ_SYSCALL(::uname(&kernel));
  put(record.ut_host, kernel.release);
  struct timeval now;
  KJ_SYSCALL(::gettimeofday(&now, nullptr));
  record.ut_tv.tv_sec = static_cast<int32_t>(now.tv_sec);
  record.ut_tv.tv_usec = static_cast<int32_t>(now.tv_usec);
  return record;
}

}  // namespace

void addRecord(kj::StringPtr path, RecordKind kind) {
  int fd;
  KJ_SYSCALL(
      fd = ::open(path.cStr(),
                  O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                  RECORDS_MODE),
      path);
  kj::AutoCloseFd file(fd);
  struct stat status;
  KJ_SYSCALL(::fstat(file.get(), &status), path);
  KJ_REQUIRE(S_ISREG(status.st_mode), "no file", path);
  if (static_cast<uint64_t>(status.st_size) > MAX_RECORDS_BYTES) {
    return;
  }
  if (status.st_size == 0) {
    // Fails in a test that is not root.
    if (::fchown(file.get(), 0, RECORDS_GROUP) == 0) {
      KJ_SYSCALL(::fchmod(file.get(), RECORDS_MODE), path);
    }
  }
  auto record = recordOf(kind);
  kj::FdOutputStream(file.get()).write(&record, sizeof(record));
}

}  // namespace bothy
