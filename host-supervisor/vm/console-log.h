#pragma once

#include <kj/async-io.h>
#include <kj/io.h>

namespace bothy {

// A file of what a machine's console said, at no time larger than CONSOLE_LIMIT_BYTES (S09): before it
// would grow beyond, its older half goes.  The bytes are the guest's: whoever shows them escapes them.
//
// QEMU offers the console on a socket and drops what it says while nobody listens, so a supervisor that
// is away costs a gap in the log, never disk.
class ConsoleLog final {
public:
  // Appends to the file, or makes it, mode 0600.
  explicit ConsoleLog(kj::StringPtr path);
  KJ_DISALLOW_COPY_AND_MOVE(ConsoleLog);

  // Until the end of `console`.  `firstWord` is told when the machine says something.
  kj::Promise<void> record(kj::Own<kj::AsyncIoStream> console,
                           kj::Own<kj::PromiseFulfiller<void>> firstWord);

  void append(kj::ArrayPtr<const kj::byte> bytes);

private:
  kj::AutoCloseFd fd;
  uint64_t size;

  void dropOlderHalf();
};

}  // namespace bothy
