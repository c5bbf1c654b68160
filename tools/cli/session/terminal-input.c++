#include "session/terminal-input.h"

#include "schema/limits.capnp.h"

namespace bothy {
namespace {

// Typed but not sent yet: enough for a large paste while the program does not read.
constexpr size_t MAX_WAITING_BYTES = 1 << 20;
constexpr size_t READ_BYTES = 64 << 10;

constexpr kj::byte END_OF_TRANSMISSION = 4;  // Ctrl-D: the end of input, typed
// Within it follows the rest of a key that a terminal sends as several bytes.
constexpr auto KEY_PAUSE = 20 * kj::MILLISECONDS;
// How long a program may go on after the end of its input before it is told again.
constexpr auto END_AGAIN = 1 * kj::SECONDS;

}  // namespace

TerminalInput::TerminalInput(Context& context, DetachKeys keys)
    : context(context), keys(kj::mv(keys)), interactive(context.terminal.isInteractive()) {}

kj::Promise<TerminalInput::End> TerminalInput::read() {
  auto buffer = kj::heapArray<kj::byte>(READ_BYTES);
  while (true) {
    co_await waiting.whenBelow(MAX_WAITING_BYTES);
    size_t count = co_await context.input.tryRead(buffer.begin(), 1, buffer.size());
    if (count == 0) break;
    auto typed = buffer.slice(0, count);
    if (!interactive) {
      lastTyped = typed[count - 1];
      waiting.push(typed);
      continue;
    }
    deciding = nullptr;
    auto result = keys.filter(typed);
    waiting.push(result.input);
    if (result.detach) co_return End::LEFT;
    if (keys.isUndecided()) deciding = decideLater().eagerlyEvaluate(nullptr);
  }
  if (interactive) co_return End::GONE;
  waiting.finish();
  co_return End::WHOLE;
}

kj::Promise<void> TerminalInput::decideLater() {
  co_await context.timer.afterDelay(KEY_PAUSE);
  waiting.push(keys.decide());
}

kj::Promise<void> TerminalInput::sendTo(rpc::Terminal::Client terminal) {
  while (true) {
    auto bytes = co_await waiting.take(rpc::PREFERRED_CHUNK_BYTES);
    bool finished = bytes.size() == 0;
    if (finished) {
      // After a line that was not ended the first one only ends the line.
      bool lineEnded = lastTyped == '\n' || lastTyped == '\r';
      bytes = kj::heapArray<kj::byte>(lineEnded ? 1 : 2);
      for (auto& byte : bytes) byte = END_OF_TRANSMISSION;
    }
    auto request = terminal.writeRequest();
    request.setData(bytes);
    co_await request.send();
    // A program that changes the terminal's mode meanwhile (a shell between two commands) loses it.
    if (finished) co_await context.timer.afterDelay(END_AGAIN);
  }
}

}  // namespace bothy
