#pragma once

#include <kj/async.h>
#include <kj/string.h>
#include <kj/vector.h>

#include "schema/terminal.capnp.h"
#include "terminal/window-size.h"

namespace bothy {

class TestViewer;

// What viewers saw, in words of its events; one that outlives it, as the agent may still hold it, writes nothing down.
struct Seen {
  Seen() = default;
  ~Seen();
  KJ_DISALLOW_COPY_AND_MOVE(Seen);

  kj::Vector<kj::byte> bytes;
  uint64_t next = 0;  // sequence after the last byte
  uint64_t lost = 0;
  kj::Vector<WindowSize> sizes;
  kj::Maybe<size_t> bytesBeforeResize;
  kj::Vector<kj::byte>
      redraw;            // the last one; what came after it is in `bytes`, from its beginning
  kj::uint redraws = 0;  // whole ones
  WindowSize redrawSize{};
  kj::Vector<kj::String> titles;
  kj::Vector<kj::String> directories;
  kj::uint bells = 0;
  kj::Maybe<uint8_t> exitCode;
  bool ended = false;
  bool inOrder = true;
  kj::Maybe<kj::ForkedPromise<void>> gate;  // set: outputs do not return until it is resolved

  kj::String text() const;
  bool has(kj::StringPtr part) const;
  // Resolves when a whole redraw has come.
  kj::Promise<void> untilRedraw();
  // Resolves when `part` has been seen, or the end if it is empty.  One call at a time.
  kj::Promise<void> until(kj::StringPtr part);

private:
  friend class TestViewer;

  void check();

  kj::Vector<TestViewer*> viewers;
  bool isRedrawn = true;  // the last one is whole
  bool awaitsRedraw = false;
  kj::String awaited;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> fulfiller;
};

// A viewer that writes down in `seen` what it is told.
class TestViewer final: public rpc::TerminalViewer::Server {
public:
  explicit TestViewer(Seen& seen);
  ~TestViewer() noexcept(false);

  DispatchCallResult dispatchCall(
      uint64_t interfaceId, uint16_t methodId,
      capnp::CallContext<capnp::AnyPointer, capnp::AnyPointer> context) override;
  kj::Promise<void> output(OutputContext context) override;
  kj::Promise<void> gap(GapContext context) override;
  kj::Promise<void> redraw(RedrawContext context) override;
  kj::Promise<void> resized(ResizedContext context) override;
  kj::Promise<void> titled(TitledContext context) override;
  kj::Promise<void> moved(MovedContext context) override;
  kj::Promise<void> rang(RangContext context) override;
  kj::Promise<void> exited(ExitedContext context) override;

private:
  friend struct Seen;

  Seen& seen;
  bool isSeenGone = false;
};

}  // namespace bothy
