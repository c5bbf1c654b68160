#pragma once

#include <kj/refcount.h>

#include "screen/screen-budget.h"
#include "terminal/unwatched-pace.h"

namespace bothy {

// What all terminals of the workspace have together.
struct TerminalShares final: public kj::Refcounted {
  TerminalShares(kj::Timer& timer, size_t screenBytes) : pace(timer), screens(screenBytes) {}

  UnwatchedPace pace;
  ScreenBudget screens;  // of cells, and of redraws that are under way
};

// What screens may take: a part of the machine's memory.
size_t screenBytesOfThisMachine();

}  // namespace bothy
