#pragma once

#include <kj/array.h>

#include "output/output-budget.h"
#include "screen/cell.h"

namespace bothy {

// The cells of one screen.  Where the budget has no room for them, or there would be more than MAX_CELLS, there are none: then it is
// not kept(), and what changes cells does nothing.
class ScreenGrid final {
public:
  static constexpr size_t MAX_CELLS = 128 * 1024;

  // At least 1 of each.  `budget` outlives it.
  ScreenGrid(OutputBudget& budget, kj::uint columns, kj::uint rows);
  ~ScreenGrid() noexcept;
  KJ_DISALLOW_COPY_AND_MOVE(ScreenGrid);

  bool isKept() const { return cells.size() > 0; }
  kj::uint columns() const { return width; }
  kj::uint rows() const { return height; }

  // Of a grid that is kept.
  kj::ArrayPtr<const Cell> line(kj::uint row) const {
    return cells.slice(order[row] * size_t{width}, (order[row] + size_t{1}) * width);
  }

  // In what follows columns and rows are of the grid, `end`s and `bottom`s are behind the last, and what becomes free is blank in
  // `background`.

  // Writes `cell`, and its right half if `isWide`.
  void put(kj::uint row, kj::uint column, const Cell& cell, bool isWide);
  // Writes a run of characters that take one place each.
  void putRun(kj::uint row, kj::uint column, kj::ArrayPtr<const kj::byte> ascii, const Pen& pen);
  // The cell of the character that stands at this place, also where it is its right half.
  kj::Maybe<Cell&> characterAt(kj::uint row, kj::uint column);

  void erase(kj::uint row, kj::uint begin, kj::uint end, Color background);
  void eraseUnprotected(kj::uint row, kj::uint begin, kj::uint end, Color background);
  void eraseRows(kj::uint top, kj::uint bottom, Color background);

  struct Area {
    kj::uint top, bottom, left, right;
  };
  // Moves the lines of an area up or down; what leaves it is gone.
  void scrollUp(Area area, kj::uint count, Color background);
  void scrollDown(Area area, kj::uint count, Color background);
  // Moves cells of a line, up to `end`.
  void insertCells(kj::uint row, kj::uint column, kj::uint end, kj::uint count, Color background);
  void deleteCells(kj::uint row, kj::uint column, kj::uint end, kj::uint count, Color background);

  // The line `firstRow` becomes the first.
  void resize(kj::uint columns, kj::uint rows, kj::uint firstRow);
  // How many cells were changed, or what takes as long, since this was asked for last.
  size_t takeEffort() {
    auto taken = effort;
    effort = 0;
    return taken;
  }
  // Gives the cells back.
  void drop();

private:
  OutputBudget& budget;
  kj::uint width = 0;
  kj::uint height = 0;
  size_t effort = 0;
  kj::Array<Cell> cells;
  kj::Array<uint16_t> order;  // where the line of a row is in `cells`
  // How much of each line in `cells` may be anything but blank: a flood of short lines costs no more than they have.
  kj::Array<uint16_t> used;

  void noteUse(kj::uint row, kj::uint end) {
    auto& known = used[order[row]];
    known = kj::max(known, static_cast<uint16_t>(end));
  }
  kj::ArrayPtr<Cell> mutableLine(kj::uint row) {
    return cells.slice(order[row] * size_t{width}, (order[row] + size_t{1}) * width);
  }
  static size_t bytesFor(kj::uint columns, kj::uint rows);
  // `bytesBefore`: what it had of the budget.
  void allocate(kj::uint columns, kj::uint rows, size_t bytesBefore);
  // A character of two places that the border between `column` and the one before cuts becomes blank.
  static void cut(kj::ArrayPtr<Cell> line, kj::uint column);
  void moveLine(kj::uint from, kj::uint to, kj::uint left, kj::uint right);
};

}  // namespace bothy
