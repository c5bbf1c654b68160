#pragma once

#include <kj/async.h>
#include <kj/function.h>
#include <kj/vector.h>

#include "schema/terminal.capnp.h"
#include "support/screen.h"

namespace bothy {

// What one viewer of a terminal got, checked for order as it comes: a byte out of sequence is a failure
// of the call that brought it.
struct TerminalRecord {
  explicit TerminalRecord(uint16_t columns = 80, uint16_t rows = 24) : screen(columns, rows) {}

  Screen screen;
  kj::Vector<char> bytes;          // all output, as far as `keep` allows
  size_t keep = 64 * 1024 * 1024;  // most bytes kept
  uint64_t next = 0;               // sequence number expected next
  uint64_t received = 0;           // bytes
  uint64_t lost = 0;               // bytes announced as gaps
  uint32_t gaps = 0;
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

// A viewer that writes into `record`, which must outlive it.
rpc::TerminalViewer::Client newRecordingViewer(TerminalRecord& record);

}  // namespace bothy
