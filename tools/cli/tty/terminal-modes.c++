#include "tty/terminal-modes.h"

#include <algorithm>
#include <iterator>

namespace bothy {
namespace {

// Off by default, and in the way of a shell when modes.on.
constexpr kj::uint OFF_BY_DEFAULT[] = {
    1,                                                           // cursor keys for applications
    9,    1000, 1001, 1002, 1003, 1004, 1005, 1006, 1015, 1016,  // mouse and focus reports
    47,   1047, 1049,                                            // the other screen
    2004,                                                        // bracketed paste
};
constexpr kj::uint CURSOR_SHOWN = 25;

}  // namespace

void TerminalModes::follow(kj::ArrayPtr<const kj::byte> output) {
  splitter.split(output, [this](EscapeSplitter::Kind kind, kj::ArrayPtr<const kj::byte> piece) {
    if (kind == EscapeSplitter::Kind::SEQUENCE) note(piece);
  });
}

void TerminalModes::note(kj::ArrayPtr<const kj::byte> sequence) {
  if (sequence.size() == 2) {
    if (sequence[1] == '=') modes.keypad = true;
    if (sequence[1] == '>') modes.keypad = false;
    if (sequence[1] == 'c') modes = Modes();  // RIS
    return;
  }
  if (sequence.size() < 3 || sequence[1] != '[') return;
  kj::byte final = sequence.back();
  kj::byte prefix = sequence[2];
  if (final == 'm') modes.attributes = true;
  if (final == 'q' && sequence[sequence.size() - 2] == ' ') modes.cursorShaped = true;
  if (final == 'u' && prefix == '>') modes.keyboardPushed = true;
  if (final == 'u' && prefix == '<') modes.keyboardPushed = false;
  if (prefix != '?' || (final != 'h' && final != 'l')) return;

  constexpr kj::uint MAX_MODE = 100000;
  kj::uint mode = 0;
  for (auto byte : sequence.slice(3, sequence.size())) {
    if (byte >= '0' && byte <= '9') {
      mode = kj::min(mode * 10 + (byte - '0'), MAX_MODE);
      continue;
    }
    bool set = final == 'h';
    if (mode == CURSOR_SHOWN) modes.cursorHidden = !set;
    if (std::find(std::begin(OFF_BY_DEFAULT), std::end(OFF_BY_DEFAULT), mode) !=
        std::end(OFF_BY_DEFAULT)) {
      auto known = std::find(modes.on.begin(), modes.on.end(), mode);
      if (set && known == modes.on.end()) modes.on.add(mode);
      if (!set && known != modes.on.end()) {
        *known = modes.on.back();
        modes.on.removeLast();
      }
    }
    mode = 0;
  }
}

kj::String TerminalModes::resetSequence() const {
  return kj::str(modes.attributes ? "\x1b[0m" : "",
                 kj::strArray(
                     KJ_MAP(mode, modes.on) { return kj::str("\x1b[?", mode, "l"); }, ""),
                 modes.cursorHidden ? "\x1b[?25h" : "", modes.keypad ? "\x1b>" : "",
                 modes.cursorShaped ? "\x1b[0 q" : "", modes.keyboardPushed ? "\x1b[<u" : "");
}

}  // namespace bothy
