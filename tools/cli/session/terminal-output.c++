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

void TerminalOutput::startWithReplay(bool sameSize, uint64_t end) {
  replay = Replay{ReplayFilter(sameSize), end};
}

kj::Promise<void> TerminalOutput::accept(const OutputCursor::Piece& piece) {
  if (piece.lost > 0) tellLoss(piece.lost);
  queue(piece.sequence, piece.fresh);
  return waiting.whenBelow(MAX_WAITING_BYTES);
}

kj::Promise<void> TerminalOutput::skip(uint64_t lost) {
  if (lost > 0) tellLoss(lost);
  return waiting.whenBelow(MAX_WAITING_BYTES);
}

void TerminalOutput::queue(uint64_t sequence, kj::ArrayPtr<const kj::byte> bytes) {
  KJ_IF_MAYBE (r, replay) {
    auto old =
        static_cast<size_t>(kj::min(uint64_t{bytes.size()}, r->end - kj::min(sequence, r->end)));
    waiting.push(r->filter.filter(bytes.slice(0, old)));
    if (sequence + old < r->end) return;
    bytes = bytes.slice(old, bytes.size());
    waiting.push(r->filter.finish());
    replay = nullptr;
  }
  waiting.push(bytes);
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
