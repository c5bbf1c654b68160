#pragma once

#include <kj/function.h>

#include "client/byte-queue.h"
#include "schema/terminal.capnp.h"
#include "session/context.h"
#include "tty/detach-keys.h"
#include "wire/waiters.h"

namespace bothy {

// What the user types, on its way to a terminal of a workspace.  It waits while there is no connection; what
// was on its way when one broke, 4 KiB at most, is not sent again, since nobody knows whether it had arrived.
class TerminalInput final {
public:
  enum class Use {
    SENT,
    DROPPED,  // but for the keys that leave: the terminal is only looked at
  };
  // `notice` is told, in a line, what becomes of input that is not taken.  `typed` is called when a person has typed what is to be sent.
  TerminalInput(
      Context& context, DetachKeys keys, Use use, kj::Function<void(kj::StringPtr)> notice,
      kj::Function<void()> typed = []() {});
  KJ_DISALLOW_COPY_AND_MOVE(TerminalInput);

  // The keys that leave, for people.  Empty: there are none.
  kj::String howToLeave() const { return keys.describe(); }

  enum class End {
    LEFT,   // by the detach keys
    GONE,   // the local terminal is
    WHOLE,  // standard input is no terminal, and was read; the program is told that this is the end
  };
  // Reads standard input to its end; fails where it cannot be read.  Call once.
  kj::Promise<End> read();
  // There is none: the program is told that this is the end.
  void finish();

  // Goes on with what waits, until dropped; one call at a time.  Fails when the terminal takes no more.
  kj::Promise<void> sendTo(rpc::Attachment::Client terminal);

  // Returns when the terminal has taken all that was typed.  One call at a time.
  kj::Promise<void> whenTaken();
  // How many bytes the sendTo() that was dropped last has sent and had no answer to; 0 when asked again.
  size_t forgetUnanswered();

private:
  Context& context;
  DetachKeys keys;
  const Use use;
  kj::Function<void(kj::StringPtr)> notice;
  kj::Function<void()> typed;
  bool interactive;
  bool leavable;
  ByteQueue waiting;
  bool stalled = false;  // what is typed is thrown away
  size_t unanswered = 0;
  Waiters answered;  // whenTaken()
  kj::byte lastTyped = '\n';
  kj::Maybe<kj::Promise<void>> deciding;

  kj::Promise<void> untilReadable();
  void keep(kj::ArrayPtr<const kj::byte> bytes);
  kj::Promise<void> decideLater();
};

}  // namespace bothy
