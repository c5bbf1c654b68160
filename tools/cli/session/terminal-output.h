#pragma once

#include "client/byte-queue.h"
#include "client/output-cursor.h"
#include "session/context.h"
#include "tty/terminal-modes.h"

namespace bothy {

// What a terminal of a workspace says, on its way to the user.  What was lost is told in its place.
class TerminalOutput final {
public:
  explicit TerminalOutput(Context& context);
  KJ_DISALLOW_COPY_AND_MOVE(TerminalOutput);

  // The next of its output.  Resolves when there is room for more; one call at a time.
  kj::Promise<void> accept(const OutputCursor::Piece& piece);
  // So many bytes are gone.  Resolves as accept() does.
  kj::Promise<void> skip(uint64_t lost);
  // A piece of what the terminal shows, in the place of what is shown.  Resolves as accept() does.
  kj::Promise<void> redraw(kj::ArrayPtr<const kj::byte> piece, bool isLast);
  // No more will come.
  void finish() { waiting.finish(); }

  // Writes to standard output, until the end of what came before finish().  Fails if nobody reads it.
  kj::Promise<void> show();
  // Undoes in the local terminal what the shown output did to it.
  kj::String resetSequence() const { return modes.resetSequence(); }

private:
  void tellLoss(uint64_t bytes);

  Context& context;
  bool interactive;
  ByteQueue waiting;
  bool isRedrawing = false;
  TerminalModes modes;
};

}  // namespace bothy
