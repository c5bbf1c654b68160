#include "screen/screen-grid.h"

#include <string.h>

#include <algorithm>

namespace bothy {
namespace {

// How many lines change places in the time in which a cell changes.
constexpr kj::uint ROWS_FOR_A_CELL = sizeof(Cell) / sizeof(uint16_t);

Cell blank(Color background) {
  Cell cell;
  cell.background = background;
  return cell;
}

void blankOut(kj::ArrayPtr<Cell> cells, Color background) {
  std::fill(cells.begin(), cells.end(), blank(background));
}

}  // namespace

ScreenGrid::ScreenGrid(OutputBudget& budget, kj::uint columns, kj::uint rows) : budget(budget) {
  allocate(columns, rows, 0);
}

ScreenGrid::~ScreenGrid() noexcept {
  drop();
}

size_t ScreenGrid::bytesFor(kj::uint columns, kj::uint rows) {
  return size_t{columns} * rows * sizeof(Cell);
}

void ScreenGrid::allocate(kj::uint columns, kj::uint rows, size_t bytesBefore) {
  width = columns;
  height = rows;
  if (size_t{columns} * rows > MAX_CELLS) {
    budget.giveBackOfScreen(bytesBefore);
    return;
  }
  if (!budget.changeForScreen(bytesBefore, bytesFor(columns, rows))) return;
  cells = kj::heapArray<Cell>(size_t{columns} * rows);
  order = kj::heapArray<uint16_t>(rows);
  used = kj::heapArray<uint16_t>(rows);
  for (auto row : kj::indices(order)) {
    order[row] = static_cast<uint16_t>(row);
    used[row] = 0;
  }
}

void ScreenGrid::drop() {
  if (!isKept()) return;
  budget.giveBackOfScreen(bytesFor(width, height));
  cells = nullptr;
  order = nullptr;
  used = nullptr;
}

void ScreenGrid::cut(kj::ArrayPtr<Cell> line, kj::uint column) {
  if (column == 0 || column >= line.size() || line[column].character != Cell::RIGHT_HALF) return;
  for (auto place : {column - 1, column}) {
    line[place].character = 0;
    line[place].marks = 0;
  }
}

void ScreenGrid::put(kj::uint row, kj::uint column, const Cell& cell, bool isWide) {
  if (!isKept()) return;
  auto line = mutableLine(row);
  const kj::uint end = column + (isWide ? 2 : 1);
  noteUse(row, end);
  cut(line, column);
  cut(line, end);
  line[column] = cell;
  if (!isWide) return;
  line[column + 1] = cell;
  line[column + 1].character = Cell::RIGHT_HALF;
  line[column + 1].marks = 0;
}

void ScreenGrid::putRun(kj::uint row, kj::uint column, kj::ArrayPtr<const kj::byte> ascii,
                        const Pen& pen) {
  if (!isKept()) return;
  auto line = mutableLine(row);
  const auto end = column + static_cast<kj::uint>(ascii.size());
  noteUse(row, end);
  effort += ascii.size();
  cut(line, column);
  cut(line, end);
  Cell cell{0, pen.foreground, pen.background, pen.attributes, 0};
  auto* target = line.begin() + column;
  for (auto byte : ascii) {
    cell.character = byte;
    *target++ = cell;
  }
}

kj::Maybe<Cell&> ScreenGrid::characterAt(kj::uint row, kj::uint column) {
  if (!isKept()) return nullptr;
  auto line = mutableLine(row);
  if (line[column].character == Cell::RIGHT_HALF && column > 0) --column;
  return line[column];
}

void ScreenGrid::erase(kj::uint row, kj::uint begin, kj::uint end, Color background) {
  if (!isKept() || begin >= end) return;
  auto line = mutableLine(row);
  auto& known = used[order[row]];
  if (background == Color()) {
    end = kj::min(end, kj::uint{known});
    if (begin >= end) return;
    if (end == known) known = static_cast<uint16_t>(begin);
  } else {
    noteUse(row, end);
  }
  cut(line, begin);
  cut(line, end);
  blankOut(line.slice(begin, end), background);
  effort += end - begin;
}

void ScreenGrid::eraseUnprotected(kj::uint row, kj::uint begin, kj::uint end, Color background) {
  if (!isKept()) return;
  effort += end - begin;
  noteUse(row, end);
  auto line = mutableLine(row);
  for (auto column = begin; column < end; ++column) {
    if ((line[column].attributes & attribute::PROTECTED) != 0) continue;
    cut(line, column);
    cut(line, column + 1);
    line[column] = blank(background);
  }
}

void ScreenGrid::eraseRows(kj::uint top, kj::uint bottom, Color background) {
  if (!isKept()) return;
  for (auto row = top; row < bottom; ++row) erase(row, 0, width, background);
}

void ScreenGrid::moveLine(kj::uint from, kj::uint to, kj::uint left, kj::uint right) {
  auto source = mutableLine(from);
  auto target = mutableLine(to);
  noteUse(to, right);
  for (auto column : {left, right}) {
    cut(source, column);
    cut(target, column);
  }
  std::copy(source.begin() + left, source.begin() + right, target.begin() + left);
  effort += right - left;
}

void ScreenGrid::scrollUp(Area area, kj::uint count, Color background) {
  if (!isKept() || area.top >= area.bottom) return;
  count = kj::min(count, area.bottom - area.top);
  if (area.left == 0 && area.right == width) {
    std::rotate(order.begin() + area.top, order.begin() + area.top + count,
                order.begin() + area.bottom);
    effort += (area.bottom - area.top) / ROWS_FOR_A_CELL;
  } else {
    for (auto row = area.top; row + count < area.bottom; ++row) {
      moveLine(row + count, row, area.left, area.right);
    }
  }
  for (auto row = area.bottom - count; row < area.bottom; ++row) {
    erase(row, area.left, area.right, background);
  }
}

void ScreenGrid::scrollDown(Area area, kj::uint count, Color background) {
  if (!isKept() || area.top >= area.bottom) return;
  count = kj::min(count, area.bottom - area.top);
  if (area.left == 0 && area.right == width) {
    std::rotate(order.begin() + area.top, order.begin() + area.bottom - count,
                order.begin() + area.bottom);
    effort += (area.bottom - area.top) / ROWS_FOR_A_CELL;
  } else {
    for (auto row = area.bottom; row-- > area.top + count;) {
      moveLine(row - count, row, area.left, area.right);
    }
  }
  for (auto row = area.top; row < area.top + count; ++row) {
    erase(row, area.left, area.right, background);
  }
}

void ScreenGrid::insertCells(kj::uint row, kj::uint column, kj::uint end, kj::uint count,
                             Color background) {
  if (!isKept() || column >= end) return;
  count = kj::min(count, end - column);
  auto line = mutableLine(row);
  noteUse(row, end);
  cut(line, column);
  cut(line, end);
  cut(line, end - count);
  std::copy_backward(line.begin() + column, line.begin() + end - count, line.begin() + end);
  blankOut(line.slice(column, column + count), background);
  effort += end - column;
}

void ScreenGrid::deleteCells(kj::uint row, kj::uint column, kj::uint end, kj::uint count,
                             Color background) {
  if (!isKept() || column >= end) return;
  count = kj::min(count, end - column);
  auto line = mutableLine(row);
  noteUse(row, end);
  cut(line, column);
  cut(line, column + count);
  cut(line, end);
  std::copy(line.begin() + column + count, line.begin() + end, line.begin() + column);
  blankOut(line.slice(end - count, end), background);
  effort += end - column;
}

void ScreenGrid::resize(kj::uint columns, kj::uint rows, kj::uint firstRow) {
  if (columns == width && rows == height && firstRow == 0) return;
  auto before = kj::mv(cells);
  auto orderBefore = kj::mv(order);
  const auto widthBefore = width, heightBefore = height;
  allocate(columns, rows, before.size() > 0 ? bytesFor(widthBefore, heightBefore) : 0);
  if (!isKept() || before.size() == 0) return;
  const auto kept = kj::min(columns, widthBefore);
  for (kj::uint row = 0; row < rows && firstRow + row < heightBefore; ++row) {
    auto* source = before.begin() + orderBefore[firstRow + row] * size_t{widthBefore};
    auto line = mutableLine(row);
    std::copy(source, source + kept, line.begin());
    noteUse(row, kept);
    // The left half of one whose right half is gone.
    if (kept < widthBefore && source[kept].character == Cell::RIGHT_HALF) {
      line[kept - 1].character = 0;
      line[kept - 1].marks = 0;
    }
  }
}

}  // namespace bothy
