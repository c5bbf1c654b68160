#include "screen/screen-redraw.h"

namespace bothy {
namespace {

class Redraw final {
public:
  enum class Cells { WITH_LOOKS, TEXT, NONE };
  Redraw(const ScreenState& state, Cells cells) : s(state), cells(cells) {}

  kj::Array<kj::byte> write() {
    clear();
    drawPlane(s.main);
    if (s.otherMode != 0) {
      auto show = kj::str("\033[?", s.otherMode, "h");
      // This one saves the cursor itself, as it did before.
      if (s.otherMode == 1049) {
        setSaved(s.main, show);
      } else {
        setSaved(s.main);
        say(show);
      }
      say("\033[2J");
      drawPlane(s.other);
    }
    setTabs();
    setSaved(s.shown());
    setMargins();
    setModes();
    setCursor();
    return output.releaseAsArray();
  }
  bool isTooLarge() const { return output.size() > MAX_REDRAW_BYTES; }

private:
  const ScreenState& s;
  const Cells cells;
  kj::Vector<kj::byte> output;
  Pen pen;

  template <typename... Words>
  void say(Words&&... words) {
    output.addAll(kj::str(kj::fwd<Words>(words)...).asBytes());
  }

  // From whatever the terminal was in to an empty main screen.
  void clear() {
    say("\x18");  // a sequence that was cut short
    // Each screen has keyboard flags of its own.
    say("\033[?2026l\033[<99u\033[=0u\033[?1049l\033[?1047l\033[<99u\033[=0u");
    say("\033[!p\033[?69l\033[r\033[?6l\033[?7h\033[4l\033[20l\033[?45l\033[?5l");
    say("\033%G\033(B\033)B\033*B\033+B\x0f\033[0\"q\033[0m\033]8;;\033\\\033[H\033[2J\033[?5W");
    // Some terminals save these two with the cursor.
    say("\033[", s.cursorShape, " q\033[?25", s.isOn(25) ? "h" : "l");
  }

  void setPen(const Pen& next) {
    if (next == pen) return;
    pen = next;
    kj::Vector<char> words;
    auto add = [&](auto&&... parts) { words.addAll(kj::str(";", parts...)); };
    constexpr struct {
      uint16_t attribute;
      int number;
    } NUMBERS[] = {{attribute::BOLD, 1},   {attribute::DIM, 2},       {attribute::ITALIC, 3},
                   {attribute::BLINK, 5},  {attribute::REVERSE, 7},   {attribute::CONCEALED, 8},
                   {attribute::STRUCK, 9}, {attribute::OVERLINED, 53}};
    for (auto& known : NUMBERS) {
      if ((next.attributes & known.attribute) != 0) add(known.number);
    }
    const auto underline = (next.attributes & attribute::UNDERLINE) >> attribute::UNDERLINE_SHIFT;
    if (underline == 1) add(4);
    if (underline == 2) add(21);
    if (underline > 2) add("4:", underline);
    addColor(next.foreground, 30, add);
    addColor(next.background, 40, add);
    say("\033[0", words.asPtr(), "m");
  }

  template <typename Add>
  static void addColor(Color color, int base, Add& add) {
    constexpr int BRIGHT = 60, MANY = 8;
    switch (color.kind()) {
      case Color::Kind::OWN:
        break;
      case Color::Kind::INDEXED:
        if (color.index() < 8) {
          add(base + color.index());
        } else if (color.index() < 16) {
          add(base + BRIGHT + color.index() - 8);
        } else {
          add(base + MANY, ";5;", color.index());
        }
        break;
      case Color::Kind::RGB:
        add(base + MANY, ";2;", color.red(), ";", color.green(), ";", color.blue());
        break;
    }
  }

  void moveTo(kj::uint row, kj::uint column) { say("\033[", row + 1, ";", column + 1, "H"); }

  void sayCharacter(char32_t c) {
    auto add = [&](char32_t bits) { output.add(static_cast<kj::byte>(bits)); };
    if (c < 0x80) {
      add(c);
    } else if (c < 0x800) {
      add(0xc0 | c >> 6);
      add(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
      add(0xe0 | c >> 12);
      add(0x80 | (c >> 6 & 0x3f));
      add(0x80 | (c & 0x3f));
    } else {
      add(0xf0 | c >> 18);
      add(0x80 | (c >> 12 & 0x3f));
      add(0x80 | (c >> 6 & 0x3f));
      add(0x80 | (c & 0x3f));
    }
  }

  void sayCell(const Cell& cell) {
    if (cells == Cells::WITH_LOOKS) {
      auto look = cell.pen();
      look.attributes &= static_cast<uint16_t>(~attribute::PROTECTED);
      setPen(look);
    }
    sayCharacter(cell.character == 0 ? ' ' : cell.character);
    auto marks = s.marks.get(cell.marks);
    for (auto mark : {marks.first, marks.second}) {
      if (mark != 0) sayCharacter(mark);
    }
  }

  void drawPlane(const ScreenPlane& plane) {
    if (plane.grid->isKept() && cells != Cells::NONE) {
      for (kj::uint row = 0; row < s.rows && !isTooLarge(); ++row) {
        drawLine(row, plane.grid->line(row));
      }
    }
    setPen(Pen());
    setKeyboard(plane.keyboard);
  }

  void drawLine(kj::uint row, kj::ArrayPtr<const Cell> line) {
    // A gap of some cells is skipped, since to move costs as much as they do.
    constexpr size_t WORTH_A_MOVE = 8;
    size_t end = line.size();
    while (end > 0 && line[end - 1].isBlank()) --end;
    bool isThere = false;
    for (size_t column = 0; column < end; ++column) {
      size_t next = column;
      while (next < end && line[next].isBlank()) ++next;
      if (next - column >= WORTH_A_MOVE || !isThere) {
        column = next;
        moveTo(row, static_cast<kj::uint>(column));
        isThere = true;
      }
      if (line[column].character != Cell::RIGHT_HALF) sayCell(line[column]);
    }
  }

  void setKeyboard(const KeyboardFlags& keyboard) {
    if (keyboard.flags[0] != 0) say("\033[=", keyboard.flags[0], "u");
    for (size_t i = 1; i <= keyboard.pushed; ++i) say("\033[>", keyboard.flags[i], "u");
  }

  void setTabs() {
    bool isDefault = true;
    for (auto i : kj::indices(s.tabs)) {
      if (s.tabs[i] != s.isDefaultTab(static_cast<kj::uint>(i))) isDefault = false;
    }
    if (isDefault) return;
    say("\033[3g");
    for (auto i : kj::indices(s.tabs)) {
      if (s.tabs[i]) say("\033[", i + 1, "G\033H");
    }
  }

  void setCharsets(const Charsets& charsets) {
    constexpr char DESIGNATORS[] = {'(', ')', '*', '+'};
    for (auto i : kj::indices(charsets.designated)) {
      say("\033", DESIGNATORS[i], charsets.designated[i]);
    }
    constexpr kj::StringPtr SHIFTS[] = {"\x0f"_kj, "\x0e"_kj, "\033n"_kj, "\033o"_kj};
    say(SHIFTS[charsets.used]);
  }

  // Saves the cursor as the program did it.  Before margins and modes: an origin within margins cannot be saved without them, and what is
  // saved of it is where it was on the screen.
  void setSaved(const ScreenPlane& plane, kj::StringPtr how = "\0337"_kj) {
    if (!plane.isSaved) return;
    auto& saved = plane.saved;
    moveTo(saved.row, saved.column);
    setPen(seen(saved.pen));
    if (saved.charsets != Charsets()) setCharsets(saved.charsets);
    if (saved.origin) say("\033[?6h\033[", saved.row + 1, ";", saved.column + 1, "H");
    say(how);
    if (saved.origin) say("\033[?6l");
    if (saved.charsets != Charsets()) setCharsets(Charsets());
    setPen(Pen());
  }

  static Pen seen(Pen pen) {
    pen.attributes &= static_cast<uint16_t>(~attribute::PROTECTED);
    return pen;
  }

  void setMargins() {
    if (s.isOn(69)) {
      say("\033[?69h");
      say("\033[", s.margins.left + 1, ";", s.margins.right, "s");
    }
    if (s.margins.top != 0 || s.margins.bottom != s.rows) {
      say("\033[", s.margins.top + 1, ";", s.margins.bottom, "r");
    }
  }

  void setModes() {
    for (auto i : kj::indices(s.modes)) {
      const auto& mode = PRIVATE_MODES[i];
      // One comes with the margins, the other came at first.
      if (mode.number == 69 || mode.number == 25) continue;
      auto value = s.modes[i] == PrivateMode::Value::UNSET ? mode.first : s.modes[i];
      if (value == PrivateMode::Value::UNSET) continue;
      // One that is off of a kind of which another is on would turn that off.
      if (mode.kind != 0 && value == PrivateMode::Value::OFF && isAnyOn(mode.kind)) continue;
      say("\033[?", mode.number, value == PrivateMode::Value::ON ? "h" : "l");
    }
    if (s.newLine) say("\033[20h");
    say(s.keypad ? "\033=" : "\033>");
    say("\033[>4;", s.modifyOtherKeys, "m");
    if (s.formatOtherKeys != 0) say("\033[>4;", s.formatOtherKeys, "f");
    constexpr int OWN_COLORS_COMMAND = 10, OWN_COLORS_RESET = 110;
    for (auto i : kj::indices(s.ownColors)) {
      if (s.ownColors[i].size() > 0) {
        say("\033]", OWN_COLORS_COMMAND + i, ";", s.ownColors[i], "\033\\");
      } else {
        say("\033]", OWN_COLORS_RESET + i, "\033\\");
      }
    }
    if (s.title.size() > 0) say("\033]2;", s.title, "\033\\");
  }

  bool isAnyOn(kj::byte kind) const {
    for (auto i : kj::indices(s.modes)) {
      if (PRIVATE_MODES[i].kind == kind && s.modes[i] == PrivateMode::Value::ON) return true;
    }
    return false;
  }

  // Last of all: what comes next goes where it would have gone.
  void setCursor() {
    auto& cursor = s.cursor;
    const kj::uint down = cursor.origin ? s.margins.top : 0;
    const kj::uint right = cursor.origin ? s.margins.left : 0;
    if (cursor.origin) say("\033[?6h");
    auto column = cursor.column;
    auto& grid = *s.shown().grid;
    const bool writesAgain = cursor.wraps && grid.isKept();
    if (writesAgain && grid.line(cursor.row)[column].character == Cell::RIGHT_HALF) --column;
    moveTo(cursor.row - kj::min(cursor.row, down), column - kj::min(column, right));
    // Only what is written to the last column makes the next character wrap.
    if (writesAgain) sayCell(grid.line(cursor.row)[column]);
    setPen(seen(cursor.pen));
    if ((cursor.pen.attributes & attribute::PROTECTED) != 0) say("\033[1\"q");
    if (cursor.charsets != Charsets()) setCharsets(cursor.charsets);
    if (s.insert) say("\033[4h");
  }
};

}  // namespace

kj::Array<kj::byte> redraw(const ScreenState& state) {
  auto whole = Redraw(state, Redraw::Cells::WITH_LOOKS).write();
  if (whole.size() <= MAX_REDRAW_BYTES) return whole;
  whole = nullptr;
  return Redraw(state, Redraw::Cells::TEXT).write();
}

kj::Array<kj::byte> redrawWithoutCells(const ScreenState& state) {
  return Redraw(state, Redraw::Cells::NONE).write();
}

}  // namespace bothy
