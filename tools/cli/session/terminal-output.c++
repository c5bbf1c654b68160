#include "session/terminal-output.h"

#include <kj/debug.h>

#include "console/quantity.h"

namespace bothy {
namespace {

// Received but not shown yet; beyond it the workspace is held back.
constexpr size_t MAX_WAITING_BYTES = 256 << 10;
constexpr size_t WRITE_BYTES = 64 << 10;

}  // namespace

TerminalOutput::TerminalOutput(Context& context)
    : context(context), interactive(context.terminal.isInteractive()) {}

kj::Promise<void> TerminalOutput::accept(const OutputCursor::Piece& piece) {
  if (piece.lost > 0) tellLoss(piece.lost);
  waiting.push(piece.fresh);
  return waiting.whenBelow(MAX_WAITING_BYTES);
}

kj::Promise<void> TerminalOutput::skip(uint64_t lost) {
  if (lost > 0) tellLoss(lost);
  return waiting.whenBelow(MAX_WAITING_BYTES);
}

kj::Promise<void> TerminalOutput::redraw(kj::ArrayPtr<const kj::byte> piece, bool isLast) {
  if (!isRedrawing) {
    // What is on the screen moves up, into the lines that the local terminal keeps.
    constexpr uint16_t ROWS = 24;
    auto rows = context.terminal.size().map([](auto size) { return size.rows; }).orDefault(ROWS);
    waiting.push(kj::str("\x18\033[?6l\033[r\033[", rows, ";1H", kj::repeat('\n', rows)).asBytes());
  }
  isRedrawing = !isLast;
  waiting.push(piece);
  return waiting.whenBelow(MAX_WAITING_BYTES);
}

void TerminalOutput::tellLoss(uint64_t bytes) {
  auto text = kj::str(interactive ? "\r\n\x1b[2m" : "\n", "[bothy: ", formatBytes(bytes),
                      " of output were lost here]", interactive ? "\x1b[0m\r\n" : "\n");
  waiting.push(text.asBytes());
}

kj::Promise<void> TerminalOutput::show() {
  while (true) {
    auto bytes = co_await waiting.take(WRITE_BYTES);
    if (bytes.size() == 0) co_return;  // finished
    if (interactive) {
      modes.follow(bytes);
      context.terminal.undoAtCrash(modes.resetSequence());
    }
    co_await context.output.write(bytes.begin(), bytes.size());
  }
}

}  // namespace bothy
