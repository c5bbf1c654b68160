#pragma once

#include "screen/screen-state.h"

namespace bothy {

// What brings a terminal like xterm, of the same size and in any state, to show what `state` has and to be set as it is: both
// screens, cursor, attributes, margins, modes, encodings of keys, tab stops, title.  No terminal answers to it.
//
// Not brought over: links (OSC 8), colors of underlines, the palette (OSC 4), pictures, lines of double size.
//
// Of a screen that is not kept, all but the cells.  At most MAX_REDRAW_BYTES: where it would be more, colors are left out.
kj::Array<kj::byte> redraw(const ScreenState& state);

// The same as of a screen that is not kept.
kj::Array<kj::byte> redrawWithoutCells(const ScreenState& state);

constexpr size_t MAX_REDRAW_BYTES = 2 * 1024 * 1024;

}  // namespace bothy
