#pragma once

#include <kj/async.h>
#include <kj/function.h>
#include <kj/vector.h>

#include "client/attached-terminal.h"
#include "support/screen.h"

namespace bothy {

// What one viewer of a terminal got.
struct TerminalRecord {
  explicit TerminalRecord(uint16_t columns = 80, uint16_t rows = 24) : screen(columns, rows) {}

  Screen screen;
  kj::Vector<char> bytes;          // all output, as far as `keep` allows
  size_t keep = 64 * 1024 * 1024;  // most bytes kept
  uint64_t received = 0;           // bytes
  uint64_t lost = 0;               // bytes announced as gaps
  uint32_t gaps = 0;
  uint32_t redraws = 0;          // whole ones, of which none is in `bytes`
  kj::Vector<kj::String> sizes;  // "columns x rows" of each `resized`
  kj::Maybe<kj::String> exit;    // "exited 0", "killed 9", "lost"

  // Called after each change.
  kj::Maybe<kj::Function<void()>> changed;
  // Returned by every output call before it returns: a slow viewer's pace.
  kj::Maybe<kj::Function<kj::Promise<void>()>> pace;

  kj::StringPtr tail(size_t length);

private:
  kj::String tailCopy;
};

kj::String describe(rpc::ExitStatus::Reader status);

// Writes what it is told into `record`, which outlives it.  Stricter than other viewers: a byte that comes twice, or that is missing without
// a word, is a failure of the call that shows it.
class RecordingViewer final: public TerminalListener {
public:
  explicit RecordingViewer(TerminalRecord& record) : record(record) {}

  kj::Promise<void> onOutput(const OutputCursor::Piece& piece) override;
  kj::Promise<void> onGap(uint64_t announced, uint64_t lost) override;
  kj::Promise<void> onRedraw(rpc::TerminalViewer::RedrawParams::Reader redraw) override;
  void onResized(rpc::WindowSize::Reader size) override;
  void onExited(rpc::ExitStatus::Reader status) override;

private:
  TerminalRecord& record;

  kj::Promise<void> untilPace();
  void changed();
};

}  // namespace bothy
