#pragma once

#include "screen/cell.h"
#include "screen/control-parser.h"

namespace bothy {

// What "CSI ... m" makes of a pen.
void applyRendition(Pen& pen, const ControlSequence& sequence);

}  // namespace bothy
