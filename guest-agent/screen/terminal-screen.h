#pragma once

#include "screen/control-parser.h"
#include "screen/screen-state.h"

namespace bothy {

// What a terminal that shows a program's output has on its screen, and how it is set.
//
// Made for bytes of hostile programs, since the agent is PID 1 and others than root may write to terminals: positions are brought
// within the screen where they are set, and all that grows has a bound.  It answers no query: the terminal of a viewer does.
class TerminalScreen final: private ControlHandler {
public:
  // `budget` outlives it.
  TerminalScreen(OutputBudget& budget, kj::uint columns, kj::uint rows);
  KJ_DISALLOW_COPY_AND_MOVE(TerminalScreen);

  static constexpr size_t MAX_TITLE_BYTES = 256;
  static constexpr size_t MAX_DIRECTORY_BYTES = 1024;

  // How much of it was taken.  The rest is fed again in another turn of the event loop: a few bytes may change all cells, and
  // somebody may send nothing else.
  size_t feed(kj::ArrayPtr<const kj::byte> output);
  // The lines that hold the cursor stay.
  void resize(kj::uint columns, kj::uint rows);
  // Frees the cells: the screen is not kept any more.
  void drop();

  const ScreenState& state() const { return s; }
  // See ControlParser.
  uint64_t unfinished() const { return parser.unfinished(); }
  kj::StringPtr unfinishedBeginning() const { return parser.unfinishedBeginning(); }

  // What the program has said since this was asked for last.
  struct News {
    bool title = false;
    bool bell = false;
    bool directory = false;
  };
  News takeNews();

private:
  OutputBudget& budget;
  ScreenState s;
  ControlParser parser{*this};
  News news;
  size_t effort = 0;  // of this turn, in cells that were changed
  // Where the last character was written, and where the cursor went: what combines with it follows.
  struct Written {
    kj::uint row = 0;
    kj::uint column = 0;
    kj::uint after = 0;
  } written;
  char32_t lastCharacter = 0;  // 0: there is none that could be repeated
  kj::byte singleShift = 0;    // the set of the next character alone; 0: none

  void onAscii(kj::ArrayPtr<const kj::byte> characters) override;
  void onCharacter(char32_t character) override;
  void onControl(kj::byte control) override;
  void onEscape(kj::byte intermediate, kj::byte final) override;
  void onSequence(const ControlSequence& sequence) override;
  void onOperatingSystemCommand(kj::ArrayPtr<const char> text) override;

  ScreenGrid& grid() { return *s.shown().grid; }
  Color background() const { return s.cursor.pen.background; }
  kj::uint rightEnd() const;
  bool isWithinMargins() const;

  void put(char32_t character);
  void combine(char32_t mark);
  void wrap();
  char32_t translate(kj::byte character);

  void moveTo(int64_t row, int64_t column);
  void moveBy(int64_t rows, int64_t columns);
  void goTo(kj::uint row, kj::uint column);
  void lineFeed();
  void reverseLineFeed();
  void tab(kj::uint count);
  void backTab(kj::uint count);

  void eraseDisplay(kj::uint which, bool selective);
  void eraseLine(kj::uint which, bool selective);
  void eraseCells(kj::uint row, kj::uint begin, kj::uint end, bool selective);
  void insertLines(kj::uint count);
  void deleteLines(kj::uint count);
  void scrollColumns(kj::uint count, bool insert);
  void setMargins(const ControlSequence& sequence);
  void setSideMargins(const ControlSequence& sequence);

  void onPlainSequence(const ControlSequence& sequence);
  void onMarkedSequence(const ControlSequence& sequence);
  void setModes(const ControlSequence& sequence, bool on);
  void setPrivateMode(kj::uint number, bool on);
  void clearTabs(kj::uint which);
  void setTitle(kj::ArrayPtr<const char> text);
  void setDirectory(kj::ArrayPtr<const char> address);

  size_t skipFlood(kj::ArrayPtr<const kj::byte> output);
  void spend(size_t cells);
  void saveCursor();
  void restoreCursor();
  void showOther(kj::uint mode);
  void showMain();
  void resetSoftly();
  void reset();
  void clampCursor(ScreenCursor& cursor) const;
};

}  // namespace bothy
