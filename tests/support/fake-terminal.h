#pragma once

#include <kj/async.h>
#include <kj/vector.h>

#include "schema/terminal.capnp.h"

namespace bothy {

// The one terminal of a fake workspace.  What it shows and when it ends, the test says.
class FakeTerminal final {
public:
  static constexpr uint64_t ID = 7;

  FakeTerminal() = default;
  KJ_DISALLOW_COPY_AND_MOVE(FakeTerminal);

  kj::String output = kj::str();  // all of it, from byte 0
  uint64_t oldest = 0;            // bytes before it are not kept
  kj::Vector<kj::byte> input;
  kj::Maybe<int> exitCode;
  kj::String screen = kj::str("SCREEN");  // what it shows, as a redraw
  kj::String size;                        // "80x24", as last set
  kj::String command;                     // argv joined by blanks, as opened
  kj::String term;
  kj::uint attachments = 0;
  kj::uint opens = 0;         // how often one was opened, and not only found by its request id
  bool neverOpens = false;    // that it is opened is not answered
  bool takesNothing = false;  // of its input, as a program that does not read
  bool isAbsent = false;      // it cannot be had by its id or request id
  bool isViewed = false;      // the last lane with terminals was one to look at them only
  kj::uint closes = 0;
  // Set: `open` is answered when it resolves.
  kj::Maybe<kj::Promise<void>> opening;

  // Sends what was appended to `output`, and the exit, to whoever is attached.
  void show();
  // Forgets whoever is attached, without a word to them.
  void detachAll() { viewers.clear(); }

  // `Terminals` with this one in it, which outlives every capability that came of it.
  rpc::Terminals::Client serve();

private:
  class TerminalsServer;
  class TerminalServer;
  class AttachmentServer;
  struct Viewer {
    rpc::TerminalViewer::Client client;
    uint64_t next;
    kj::Promise<void> showing;
    uint64_t number;
    bool needsRedraw;
    bool redrawsGaps;
  };

  kj::Promise<void> show(Viewer& viewer);
  void setSize(rpc::WindowSize::Reader given);

  kj::Vector<kj::Own<Viewer>> viewers;
  uint64_t viewerNumber = 0;
  kj::String requestId;
};

}  // namespace bothy
