#pragma once

#include <stdint.h>

#include "schema/terminal.capnp.h"

namespace bothy {

// WindowSize of terminal.capnp as a value.
struct WindowSize {
  uint16_t columns;
  uint16_t rows;
  uint16_t widthPixels = 0;
  uint16_t heightPixels = 0;

  // Fails with FAILED if rows or columns are out of range.
  static WindowSize read(rpc::WindowSize::Reader reader);
  void writeTo(rpc::WindowSize::Builder builder) const;

  bool operator==(const WindowSize&) const = default;
};

constexpr uint16_t MAX_WINDOW_CELLS = 4096;  // rows, and columns

}  // namespace bothy
