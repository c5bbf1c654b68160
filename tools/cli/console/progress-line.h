#pragma once

#include <kj/async.h>
#include <kj/function.h>
#include <kj/timer.h>

#include "console/console.h"

namespace bothy {

// One line at the bottom of a terminal that is drawn again ten times a second while it lives, and is gone
// afterwards.  Draws nothing where progress is not seen by a person.
class ProgressLine final {
public:
  // `render` gives the line's text, at most a terminal's width; called while this object lives.
  ProgressLine(Console& console, kj::Timer& timer, kj::Function<kj::String(kj::uint frame)> render);
  ~ProgressLine() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(ProgressLine);

  // Writes a line above this one, which stays.
  void printAbove(kj::StringPtr line);

private:
  kj::Promise<void> draw();

  Console& console;
  kj::Timer& timer;
  kj::Function<kj::String(kj::uint)> render;
  kj::Promise<void> drawing;
};

// The spinner's character of a frame.
kj::StringPtr spinner(kj::uint frame);

}  // namespace bothy
