#include "terminal/window-size.h"

#include <kj/debug.h>

namespace bothy {

WindowSize WindowSize::read(rpc::WindowSize::Reader reader) {
  WindowSize result = {reader.getColumns(), reader.getRows(), reader.getWidthPixels(),
                       reader.getHeightPixels()};
  KJ_REQUIRE(1 <= result.columns && result.columns <= MAX_WINDOW_CELLS && 1 <= result.rows &&
                 result.rows <= MAX_WINDOW_CELLS,
             "window size out of range", result.columns, result.rows);
  return result;
}

void WindowSize::writeTo(rpc::WindowSize::Builder builder) const {
  builder.setColumns(columns);
  builder.setRows(rows);
  builder.setWidthPixels(widthPixels);
  builder.setHeightPixels(heightPixels);
}

}  // namespace bothy
