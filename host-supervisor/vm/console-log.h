#pragma once

#include <kj/async-io.h>
#include <kj/timer.h>

#include "vm/console-tail.h"
#include "vm/console-writer.h"

namespace bothy {

constexpr size_t CONSOLE_TURN_BYTES = 64 * 1024;
constexpr kj::Duration CONSOLE_PAUSE = 50 * kj::MILLISECONDS;
// How long the end of a console is waited for to be in its file.
constexpr kj::Duration CONSOLE_END_LIMIT = 2 * kj::SECONDS;

// Carries what a machine's console says to a file, and its end to memory.
//
// QEMU offers the console on a socket and drops what it says while nobody listens, so a supervisor that
// is away costs a gap in the log, never disk.
class ConsoleLog final {
public:
  // `writer` and `tail` outlive it.  What an earlier process recorded in the file is in `tail` as soon as that is open.
  ConsoleLog(ConsoleWriter& writer, kj::StringPtr name, kj::Promise<OpenConsoleFile> opening,
             ConsoleTail& tail);
  ~ConsoleLog() noexcept(false) { writer.remove(id); }
  KJ_DISALLOW_COPY_AND_MOVE(ConsoleLog);

  // Until the end of `console` is in the file, or CONSOLE_END_LIMIT after that end; all is lost then if the file is not open yet.
  // `firstWord` is told when the machine says something.  Where the file fails, the console is read on all the same, for `tail`.
  // One that never pauses is read at CONSOLE_TURN_BYTES in CONSOLE_PAUSE: QEMU holds the guest back.
  kj::Promise<void> record(kj::Timer& timer, kj::Own<kj::AsyncIoStream> console,
                           kj::Own<kj::PromiseFulfiller<void>> firstWord);

private:
  ConsoleWriter& writer;
  const kj::String name;
  ConsoleTail& tail;
  const uint64_t id;
  kj::Promise<void> opened;
  bool isOpen = false;
  // The file; the log says so.
  bool hasFailed = false;

  void write(kj::ArrayPtr<const kj::byte> said);
  kj::Promise<void> read(kj::Timer& timer, kj::AsyncIoStream& console,
                         kj::PromiseFulfiller<void>& firstWord);
};

}  // namespace bothy
