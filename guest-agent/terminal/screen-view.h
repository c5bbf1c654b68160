#pragma once

#include <kj/refcount.h>

#include "screen/terminal-screen.h"
#include "terminal/window-size.h"

namespace bothy {

// A terminal's screen, as it follows the terminal's output.
class ScreenView final {
public:
  // `budget` outlives it and its snapshots.
  ScreenView(OutputBudget& budget, WindowSize size);
  KJ_DISALLOW_COPY_AND_MOVE(ScreenView);

  // The next of the output.  False: it takes so long that the rest is done by goOn(), in other turns of the event loop.  Not called
  // before that is through.
  bool feed(kj::ArrayPtr<const kj::byte> output);
  // True: all is done that was fed.
  bool goOn();
  // How much of what was fed is left for goOn().
  size_t leftToDo() const { return rest.size(); }

  void resize(WindowSize size) { screen.resize(size.columns, size.rows); }
  void drop() { screen.drop(); }
  TerminalScreen::News takeNews() { return screen.takeNews(); }
  const ScreenState& state() const { return screen.state(); }

  // A redraw, and how many of the bytes that were fed last come after it.
  class Snapshot final: public kj::Refcounted {
  public:
    Snapshot(OutputBudget& budget, kj::Array<kj::byte> bytes, uint64_t bytesAfter);
    ~Snapshot() noexcept;
    KJ_DISALLOW_COPY_AND_MOVE(Snapshot);

    const kj::Array<kj::byte> bytes;
    const uint64_t bytesAfter;

  private:
    OutputBudget& budget;
  };
  // Where there is no room for it among the screens, one without cells.  `output` has what was fed; of a sequence or string that began
  // before what that still has, the redraw repeats what makes a terminal go on in it.  Room for the redraw may be taken from `output`,
  // so that what comes after it is not there either: then another one is needed.
  kj::Own<Snapshot> snapshot(const OutputRing& output);

private:
  OutputBudget& budget;
  TerminalScreen screen;
  kj::Vector<kj::byte> rest;
};

}  // namespace bothy
