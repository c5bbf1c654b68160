#pragma once

#include "client/byte-queue.h"
#include "client/output-cursor.h"
#include "session/context.h"
#include "tty/replay-filter.h"
#include "tty/terminal-modes.h"

namespace bothy {

// What a terminal of a workspace says, on its way to the user.  What was lost is told in its place.
class TerminalOutput final {
public:
  explicit TerminalOutput(Context& context);
  KJ_DISALLOW_COPY_AND_MOVE(TerminalOutput);

  // The bytes before `end` were said before the user came.  `sameSize`: for a screen as large as his.
  void startWithReplay(bool sameSize, uint64_t end);

  // The next of its output.  Resolves when there is room for more; one call at a time.
  kj::Promise<void> accept(const OutputCursor::Piece& piece);
  // So many bytes are gone.  Resolves as accept() does.
  kj::Promise<void> skip(uint64_t lost);
  // No more will come.
  void finish() { waiting.finish(); }

  // Writes to standard output, until the end of what came before finish().  Fails if nobody reads it.
  kj::Promise<void> show();
  // Undoes in the local terminal what the shown output did to it.
  kj::String resetSequence() const { return modes.resetSequence(); }

private:
  // What a terminal said before this session came to it, up to byte `end`.
  struct Replay {
    ReplayFilter filter;
    uint64_t end;
  };

  void queue(uint64_t sequence, kj::ArrayPtr<const kj::byte> bytes);
  void tellLoss(uint64_t bytes);

  Context& context;
  bool interactive;
  ByteQueue waiting;
  kj::Maybe<Replay> replay;
  TerminalModes modes;
};

}  // namespace bothy
