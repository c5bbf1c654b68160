#pragma once

#include <kj/async.h>
#include <kj/function.h>

#include "client/output-cursor.h"
#include "schema/terminal.capnp.h"

namespace bothy {

// Whoever looks at a terminal.
class TerminalListener {
public:
  // The next of the terminal's output.  What it returns resolves when there is room for more: until then the workspace is held back.
  // Until it resolves there is no other call of it or of onGap().  `piece` is borrowed until it returns.
  virtual kj::Promise<void> onOutput(const OutputCursor::Piece& piece) = 0;
  // The agent says that `announced` bytes are gone, of which `lost` had not come before.  As onOutput().
  virtual kj::Promise<void> onGap(uint64_t announced, uint64_t lost) = 0;
  // What the terminal shows, in the place of all that came before; of a redraw that comes in pieces nothing else comes between.  As
  // onOutput().
  virtual kj::Promise<void> onRedraw(rpc::TerminalViewer::RedrawParams::Reader redraw) = 0;
  // A program's words to people: see TerminalViewer of terminal.capnp.  Not every client has a use for them.
  virtual void onTitled(kj::StringPtr title) {}
  virtual void onMoved(kj::StringPtr directory) {}
  virtual void onRang() {}
  // By whomever.
  virtual void onResized(rpc::WindowSize::Reader size) = 0;
  // The program has ended; nothing comes after it.
  virtual void onExited(rpc::ExitStatus::Reader status) = 0;
};

// A terminal that is looked at over any number of attachments, one after the other: each byte of its output once and in order,
// with a word where some are lost.
class AttachedTerminal final {
public:
  // What is asked for of the time before an attachment, where the scrollback has not all that is missing.
  enum class Past { BYTES, SCREEN };
  // `listener` outlives it.
  explicit AttachedTerminal(TerminalListener& listener, Past past = Past::BYTES)
      : listener(listener), past(past) {}
  // Detaches.
  ~AttachedTerminal() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(AttachedTerminal);

  // No program runs: its outcome says why.
  using NotOpened = capnp::Response<rpc::Terminals::OpenResults>;
  // Opens a new one and attaches to it, with the size that `fill` has given it, in one round trip; again, with its request id, where
  // that was not answered.  None: so it is.
  kj::Promise<kj::Maybe<NotOpened>> open(
      rpc::Terminals::Client terminals,
      kj::Function<void(rpc::Terminals::OpenParams::Builder)> fill);

  // Looks up one that exists, also the same again over another lane, in one round trip.  False: it is absent.
  kj::Promise<bool> find(rpc::Terminals::Client terminals, uint64_t id);
  // Attaches to the one that was opened or found last, at the byte that comes next, or, where none came yet, at what it shows or at the
  // oldest byte that the scrollback has.  Replaces the attachment before.
  kj::Promise<void> attach(kj::Function<void(rpc::Terminal::OptionalSize::Builder)> fillSize);
  // Whatever is on its way from the terminal is not listened to.
  void detach();

  // Of the last attachment: resolves when nothing more can come of it; never fails.
  kj::Promise<void> onLost() { return lost.addBranch(); }
  bool hasExited() const { return exited; }

  uint64_t id() const { return number; }
  rpc::Terminal::Client client();
  // By which it is typed at, and told a size.
  rpc::Attachment::Client attached();

private:
  class Viewer;

  TerminalListener& listener;
  const Past past;
  uint64_t number = 0;
  kj::Maybe<rpc::Terminal::Client> terminal;
  // None: no byte came yet, of a terminal that was there before.
  kj::Maybe<OutputCursor> cursor;
  bool exited = false;
  // Of the attachment that is listened to.
  kj::Maybe<Viewer&> viewer;
  kj::Maybe<rpc::Attachment::Client> attachment;
  kj::ForkedPromise<void> lost = kj::Promise<void>(kj::READY_NOW).fork();

  capnp::RemotePromise<rpc::Terminal::AttachResults> beginAttachment(
      rpc::Terminal::Client terminal,
      kj::FunctionParam<void(rpc::Terminal::OptionalSize::Builder)> fillSize);
};

}  // namespace bothy
