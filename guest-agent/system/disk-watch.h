#pragma once

#include <kj/async-unix.h>
#include <kj/function.h>
#include <kj/io.h>
#include <kj/string.h>
#include <stdint.h>

namespace bothy {

// Notices when a file system becomes full.
//
// No kernel says so by itself.  So it is looked at when a program has ended, and when somebody has waited for a disk, which
// the kernel tells (PSI) at most once a second, and LATER_LOOK after that.  Whoever writes makes at least the file system's journal
// wait.  While neither happens nothing is looked at.
class DiskWatch final {
public:
  using Filling = kj::Function<void(uint64_t usedBytes, uint64_t totalBytes)>;
  // Of the file system at `path`.  `pressure`: DISK_PRESSURE; where it cannot be watched only look() looks.
  DiskWatch(kj::UnixEventPort& eventPort, kj::String path, kj::StringPtr pressure, Filling filling);
  ~DiskWatch() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(DiskWatch);

  void look();

private:
  kj::UnixEventPort& eventPort;
  const kj::String path;
  Filling filling;
  bool isFilling = false;
  kj::AutoCloseFd trigger;
  kj::Promise<void> following = nullptr;

  kj::Promise<void> follow();
};

constexpr kj::StringPtr DISK_PRESSURE = "/proc/pressure/io"_kj;
constexpr kj::Duration LATER_LOOK = 2 * kj::SECONDS;

// Of what users may have, in hundredths: at FILLING_SHARE it is told, and again when it was below FREED_SHARE meanwhile.
constexpr uint64_t FILLING_SHARE = 90;
constexpr uint64_t FREED_SHARE = 85;

// Whether the event is due for a disk of which this is used; `isFilling` is kept between two looks.
bool isNewlyFilling(uint64_t usedBytes, uint64_t totalBytes, bool& isFilling);

}  // namespace bothy
