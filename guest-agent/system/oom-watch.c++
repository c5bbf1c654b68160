#include "system/oom-watch.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

namespace bothy {
namespace {

// A record is no longer (kernel/printk/internal.h, CONSOLE_EXT_LOG_MAX).
constexpr size_t MAX_RECORD_BYTES = 8192;
// Records that are read before others get their turn.
constexpr kj::uint TURN_RECORDS = 64;
// "PRIORITY,NUMBER,TIME,FLAGS;TEXT": the priority's upper bits are who wrote it, 0 the kernel.
constexpr unsigned long FACILITY_SHIFT = 3;

constexpr const char* BEFORE_PID[] = {"Out of memory: Killed process ",
                                      "Memory cgroup out of memory: Killed process ",
                                      "Out of memory (oom_kill_allocating_task): Killed process "};
constexpr const char* AFTER_NAME = ") total-vm:";

// The last place of `text` in `where`: a name may hold it too.
const char* findLast(const char* where, const char* text) {
  const char* last = nullptr;
  for (const char* at = where; (at = strstr(at, text)) != nullptr; ++at) last = at;
  return last;
}

}  // namespace

kj::Maybe<OomVictim> parseOomVictim(kj::StringPtr record) {
  char* end;
  auto priority = strtoul(record.cStr(), &end, 10);
  if (end == record.cStr() || *end != ',' || priority >> FACILITY_SHIFT != 0) return nullptr;
  const char* text = strchr(end, ';');
  if (text == nullptr) return nullptr;
  // Only where it begins so: the kernel writes names of users' files into others of its records.
  const char* number = nullptr;
  for (auto begin : BEFORE_PID) {
    if (strncmp(text + 1, begin, strlen(begin)) == 0) number = text + 1 + strlen(begin);
  }
  if (number == nullptr) return nullptr;
  auto pid = strtol(number, &end, 10);
  if (end == number || strncmp(end, " (", 2) != 0) return nullptr;
  const char* name = end + 2;
  const char* nameEnd = findLast(name, AFTER_NAME);
  if (nameEnd == nullptr) return nullptr;
  return OomVictim{static_cast<pid_t>(pid), kj::heapString(name, nameEnd - name)};
}

OomWatch::OomWatch(kj::UnixEventPort& eventPort, Found foundParam)
    : eventPort(eventPort), found(kj::mv(foundParam)) {
  int fd = ::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return;
  log = kj::AutoCloseFd(fd);
  ::lseek(fd, 0, SEEK_END);
  following = follow().eagerlyEvaluate([](kj::Exception&& e) {
    KJ_LOG(ERROR, "the kernel's log is not followed any more", e.getDescription());
  });
}

OomWatch::~OomWatch() noexcept(false) {}

kj::Promise<void> OomWatch::follow() {
  kj::UnixEventPort::FdObserver observer(eventPort, log.get(),
                                         kj::UnixEventPort::FdObserver::OBSERVE_READ);
  auto record = kj::heapArray<char>(MAX_RECORD_BYTES + 1);
  for (kj::uint count = 0;; ++count) {
    auto size = ::read(log.get(), record.begin(), MAX_RECORD_BYTES);
    if (size < 0 && errno == EAGAIN) {
      co_await observer.whenBecomesReadable();
      count = 0;
    } else if (size >= 0) {
      if (size == 0) co_return;
      record[size] = '\0';
      KJ_IF_MAYBE (victim, parseOomVictim(kj::StringPtr(record.begin(), size))) found(*victim);
      if (count >= TURN_RECORDS) {
        co_await kj::evalLast([]() {});
        count = 0;
      }
    } else if (errno != EINTR && errno != EPIPE && errno != EINVAL) {
      // EPIPE: the log was faster, and some are gone.
      KJ_FAIL_SYSCALL("read(kmsg)", errno);
    }
  }
}

}  // namespace bothy
