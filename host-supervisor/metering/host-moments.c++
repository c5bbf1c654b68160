#include "metering/host-moments.h"

#include <fcntl.h>
#include <time.h>

#include <kj/debug.h>
#include <kj/io.h>

namespace bothy {
namespace {

// The first 64 bits of the kernel's random name of this boot.
int64_t nameOfBoot() {
  constexpr auto PATH = "/proc/sys/kernel/random/boot_id";
  int raw;
  KJ_SYSCALL(raw = ::open(PATH, O_RDONLY | O_CLOEXEC), PATH);
  kj::FdInputStream file{kj::AutoCloseFd(raw)};
  auto text = file.readAllText();
  uint64_t name = 0;
  size_t digits = 0;
  for (char c : text) {
    if (c == '-') continue;
    const bool isDigit = c >= '0' && c <= '9', isLetter = c >= 'a' && c <= 'f';
    KJ_REQUIRE(isDigit || isLetter, "the kernel's name of this boot is none", text);
    name = name << 4 | static_cast<uint64_t>(isDigit ? c - '0' : c - 'a' + 10);
    if (++digits == 16) return static_cast<int64_t>(name);
  }
  KJ_FAIL_REQUIRE("the kernel's name of this boot is none", text);
}

}  // namespace

HostMoments::HostMoments(const kj::Clock& clock) : clock(clock), boot(nameOfBoot()) {}

Moment HostMoments::now() const {
  struct timespec sinceBoot{};
  KJ_SYSCALL(clock_gettime(CLOCK_BOOTTIME, &sinceBoot));
  return {boot, int64_t{sinceBoot.tv_sec} * 1000 + sinceBoot.tv_nsec / 1'000'000,
          (clock.now() - kj::UNIX_EPOCH) / kj::MILLISECONDS};
}

int64_t millisBetween(const Moment& from, const Moment& until, int64_t mostMillis) {
  if (from.boot == until.boot) return kj::max(until.bootMillis - from.bootMillis, 0);
  return kj::max(kj::min(until.wallMillis - from.wallMillis, mostMillis), 0);
}

}  // namespace bothy
