#pragma once

#include <kj/async-io.h>
#include <kj/io.h>
#include <kj/timer.h>

namespace bothy {

constexpr size_t CONSOLE_TURN_BYTES = 64 * 1024;
constexpr kj::Duration CONSOLE_PAUSE = 50 * kj::MILLISECONDS;

// A file of what a machine's console said, at no time larger than CONSOLE_LIMIT_BYTES (S09): before it
// would grow beyond, its older half goes.  The bytes are the guest's: whoever shows them escapes them.
//
// On a full disk what does not fit is lost, and the log says how much when there is room again.
//
// QEMU offers the console on a socket and drops what it says while nobody listens, so a supervisor that
// is away costs a gap in the log, never disk.
class ConsoleLog final {
public:
  // Appends to the file, or makes it, mode 0600.
  explicit ConsoleLog(kj::StringPtr path);
  KJ_DISALLOW_COPY_AND_MOVE(ConsoleLog);

  // Until the end of `console`.  `firstWord` is told when the machine says something.  One that never pauses is read at
  // CONSOLE_TURN_BYTES in CONSOLE_PAUSE: QEMU holds the guest back.
  kj::Promise<void> record(kj::Timer& timer, kj::Own<kj::AsyncIoStream> console,
                           kj::Own<kj::PromiseFulfiller<void>> firstWord);

  void append(kj::ArrayPtr<const kj::byte> bytes);

private:
  const kj::String path;
  kj::AutoCloseFd fd;
  uint64_t size;
  // Since the disk was found full.
  uint64_t lostBytes = 0;

  // All of it or, where the disk has no room, nothing: false.
  bool write(kj::ArrayPtr<const kj::byte> bytes);
  void dropOlderHalf();
};

}  // namespace bothy
