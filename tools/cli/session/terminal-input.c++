#include "session/terminal-input.h"

#include <utility>

#include <capnp/schema.h>

namespace bothy {
namespace {

// Typed but not sent yet.  From a pipe, which waits for a program that does not read.
constexpr size_t MAX_WAITING_BYTES = 1 << 20;
// From a person, whose detach keys come after all that was pasted: more than anybody pastes.
constexpr size_t MAX_PASTED_BYTES = 16 << 20;
// With so much waiting and none of it taken for so long, what is typed is thrown away.
constexpr auto STALLED_AFTER = 5 * kj::SECONDS;
constexpr size_t READ_BYTES = 64 << 10;

// Of one call, which is answered before the next: what a lane that breaks leaves in doubt.  As much as a terminal's input queue holds.
constexpr size_t CHUNK_BYTES = 4 << 10;
constexpr uint16_t WRITE_METHOD = 0;  // of Attachment, in terminal.capnp

constexpr kj::byte END_OF_TRANSMISSION = 4;  // Ctrl-D: the end of input, typed
// Within it follows the rest of a key that a terminal sends as several bytes.
constexpr auto KEY_PAUSE = 20 * kj::MILLISECONDS;
// How long a program may go on after the end of its input before it is told again.
constexpr auto END_AGAIN = 1 * kj::SECONDS;

// Returns when the terminal has taken all of it.  As a call, because the promise of a `-> stream` one says only that there is room
// for the next.
kj::Promise<void> writeWhole(rpc::Attachment::Client& terminal,
                             kj::ArrayPtr<const kj::byte> bytes) {
  auto request =
      terminal.typelessRequest(capnp::typeId<rpc::Attachment>(), WRITE_METHOD, nullptr, {});
  request.initAs<rpc::Attachment::WriteParams>().setData(bytes);
  return request.send().ignoreResult();
}

}  // namespace

TerminalInput::TerminalInput(Context& context, DetachKeys keys, Use use,
                             kj::Function<void(kj::StringPtr)> notice, kj::Function<void()> typed)
    : context(context),
      keys(kj::mv(keys)),
      use(use),
      notice(kj::mv(notice)),
      typed(kj::mv(typed)),
      interactive(context.terminal.isInteractive()),
      leavable(interactive && howToLeave().size() > 0) {}

kj::Promise<TerminalInput::End> TerminalInput::read() {
  auto buffer = kj::heapArray<kj::byte>(READ_BYTES);
  while (true) {
    co_await untilReadable();
    size_t count = co_await context.input.tryRead(buffer.begin(), 1, buffer.size());
    if (count == 0) break;
    auto typed = buffer.slice(0, count);
    if (!interactive) {
      lastTyped = typed[count - 1];
      if (use == Use::SENT) waiting.push(typed);
      continue;
    }
    deciding = nullptr;
    auto result = keys.filter(typed);
    keep(result.input);
    if (result.detach) co_return End::LEFT;
    if (keys.isUndecided()) deciding = decideLater().eagerlyEvaluate(nullptr);
  }
  if (interactive) co_return End::GONE;
  finish();
  co_return End::WHOLE;
}

void TerminalInput::finish() {
  waiting.finish();
}

// The detach keys are looked for also while no input is taken, which needs reading on.
kj::Promise<void> TerminalInput::untilReadable() {
  if (!leavable) {
    co_await waiting.whenBelow(MAX_WAITING_BYTES);
    co_return;
  }
  while (!stalled && waiting.size() >= MAX_PASTED_BYTES) {
    auto before = waiting.size();
    co_await waiting.whenBelow(MAX_PASTED_BYTES)
        .exclusiveJoin(context.timer.afterDelay(STALLED_AFTER));
    if (waiting.size() < before) continue;
    stalled = true;
    notice(kj::str("no input is taken: what is typed now is thrown away until that changes; ",
                   howToLeave(), " leaves"));
  }
}

void TerminalInput::keep(kj::ArrayPtr<const kj::byte> bytes) {
  if (use == Use::DROPPED || bytes.size() == 0) return;
  if (waiting.size() < MAX_PASTED_BYTES) stalled = false;
  if (!stalled) waiting.push(bytes);
  typed();
}

kj::Promise<void> TerminalInput::decideLater() {
  co_await context.timer.afterDelay(KEY_PAUSE);
  keep(keys.decide());
}

kj::Promise<void> TerminalInput::sendTo(rpc::Attachment::Client terminal) {
  while (true) {
    auto bytes = co_await waiting.take(CHUNK_BYTES);
    bool finished = bytes.size() == 0;
    if (finished) {
      // After a line that was not ended the first one only ends the line.
      bool lineEnded = lastTyped == '\n' || lastTyped == '\r';
      bytes = kj::heapArray<kj::byte>(lineEnded ? 1 : 2);
      for (auto& byte : bytes) byte = END_OF_TRANSMISSION;
    } else {
      unanswered = bytes.size();
    }
    co_await writeWhole(terminal, bytes);
    unanswered = 0;
    answered.wakeAll();
    // A program that changes the terminal's mode meanwhile (a shell between two commands) loses it.
    if (finished) co_await context.timer.afterDelay(END_AGAIN);
  }
}

kj::Promise<void> TerminalInput::whenTaken() {
  while (unanswered + waiting.size() > 0) co_await answered.wait();
}

size_t TerminalInput::forgetUnanswered() {
  return std::exchange(unanswered, 0);
}

}  // namespace bothy
