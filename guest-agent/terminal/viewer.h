#pragma once

#include "terminal/terminal.h"
#include "wire/waiters.h"

namespace bothy {

// One who looks at a terminal: sends it the output from a position on, as fast as it takes it, with the
// gaps, the changes of size and the end in their order.  At most one message and what the RPC system's
// window holds is under way.
//
// Dropping it detaches.  One that fails detaches itself.
class Viewer final {
public:
  struct Start {
    uint64_t position;
    bool withRedraw;  // of what the terminal shows; `position` is not looked at
    bool redrawsGaps;
    bool setsPace;  // else it has a gap where it lags, whoever else looks
  };
  // Sends nothing before the event loop has waited once: the answer to `attach` goes first.  `size`: that it wants.
  Viewer(kj::Timer& timer, kj::Own<Terminal> terminal, Start start, kj::Maybe<WindowSize> size,
         rpc::TerminalViewer::Client client);
  ~Viewer() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(Viewer);

  const bool setsPace;

  // The next byte to be sent.
  uint64_t nextSequence() const { return reader.position(); }

  // For Terminal: the size that it wants, and its turn among those that others have told.  0: it wants none.
  struct WantedSize {
    WindowSize size{};
    uint64_t turn = 0;
  } wanted;

  // There is output, or the end.
  void wake();
  // The program has said something to people.
  void tell(TerminalScreen::News news);
  // The size has changed at this point of the output.
  void resized(uint64_t sequence, WindowSize size);

private:
  struct Resize {
    uint64_t sequence;
    WindowSize size;
  };
  kj::Timer& timer;
  kj::Own<Terminal> terminal;
  OutputReader reader;
  bool needsRedraw;
  const bool redrawsGaps;
  rpc::TerminalViewer::Client client;
  bool attached = true;
  kj::Maybe<Resize> pendingResize;  // the last of several that were not yet sent
  Waiters waiting;
  TerminalScreen::News untold;
  bool isTelling = true;  // or will be
  kj::Promise<void> telling = kj::READY_NOW;
  kj::Promise<void> loop;

  void detach();
  kj::Promise<void> run();
  kj::Promise<void> deliver();
  kj::Promise<void> tellUntold();
  // Sends one thing that is untold; none: nothing is.
  kj::Maybe<kj::Promise<void>> tellNext();
  void tellRest();
  kj::Promise<void> sendOutput(uint64_t end);
  // Of what is before `sequence`.
  kj::Promise<void> sendGap(uint64_t sequence);
  kj::Promise<void> sendRedraw();
};

}  // namespace bothy
