#include "vm/console-log.h"

#include <kj/debug.h>

namespace bothy {
namespace {

constexpr size_t READ_SIZE_BYTES = 64 * 1024;
constexpr size_t TURN_READS = 64;

}  // namespace

ConsoleLog::ConsoleLog(ConsoleWriter& writer, kj::StringPtr name,
                       kj::Promise<OpenConsoleFile> opening, ConsoleTail& tail)
    : writer(writer),
      name(kj::str(name)),
      tail(tail),
      id(writer.add(name)),
      opened(opening
                 .then(
                     [this](OpenConsoleFile open) {
                       this->tail.precede(open.end);
                       this->writer.open(id, kj::mv(open.file));
                       isOpen = true;
                     },
                     [this](kj::Exception&& e) { this->writer.fail(id, e); })
                 .eagerlyEvaluate(nullptr)) {}

kj::Promise<void> ConsoleLog::record(kj::Timer& timer, kj::Own<kj::AsyncIoStream> console,
                                     kj::Own<kj::PromiseFulfiller<void>> firstWord) {
  kj::Maybe<kj::Exception> broken;
  co_await read(timer, *console, *firstWord).catch_([&](kj::Exception&& e) { broken = kj::mv(e); });
  // Who learns of the machine's end may look into the file then.
  auto late = timer.afterDelay(CONSOLE_END_LIMIT).then([this]() {
    if (isOpen) {
      KJ_LOG(WARNING, "the end of a console comes later: the host's disk is slow", name);
    } else {
      KJ_LOG(WARNING, "what a console said is lost: its file is not open yet", name);
    }
  });
  // Of a file that has failed the log says so already.
  auto written = opened.then([this]() -> kj::Promise<void> {
    if (hasFailed) return kj::READY_NOW;
    return writer.whenWritten(id);
  });
  co_await written.exclusiveJoin(kj::mv(late));
  KJ_IF_MAYBE (e, broken) kj::throwFatalException(kj::mv(*e));
}

// What decides of a machine is read from `tail`, so that goes on without a file.
void ConsoleLog::write(kj::ArrayPtr<const kj::byte> said) {
  if (hasFailed) return;
  KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() { writer.append(id, said); })) {
    hasFailed = true;
    KJ_LOG(ERROR, "a console is not recorded any more, and only its end is known", name,
           e->getDescription());
  }
}

kj::Promise<void> ConsoleLog::read(kj::Timer& timer, kj::AsyncIoStream& console,
                                   kj::PromiseFulfiller<void>& firstWord) {
  auto buffer = kj::heapArray<kj::byte>(READ_SIZE_BYTES);
  size_t turnBytes = 0, turnReads = 0;
  for (;;) {
    size_t count = co_await console.tryRead(buffer.begin(), 1, buffer.size());
    if (count == 0) co_return;
    tail.add(buffer.slice(0, count));
    firstWord.fulfill();
    write(buffer.slice(0, count));
    turnBytes += count;
    ++turnReads;
    if (turnBytes < CONSOLE_TURN_BYTES && turnReads < TURN_READS) continue;
    // Only a timer lets everybody else have a turn.
    co_await timer.afterDelay(turnBytes < CONSOLE_TURN_BYTES ? 0 * kj::NANOSECONDS : CONSOLE_PAUSE);
    turnBytes = turnReads = 0;
  }
}

}  // namespace bothy
