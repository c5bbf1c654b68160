#pragma once

#include "client/byte-queue.h"
#include "schema/terminal.capnp.h"
#include "session/context.h"
#include "tty/detach-keys.h"

namespace bothy {

// What the user types, on its way to a terminal of a workspace.  It waits while there is no connection; what
// was on its way when one broke is not sent again.
class TerminalInput final {
public:
  TerminalInput(Context& context, DetachKeys keys);
  KJ_DISALLOW_COPY_AND_MOVE(TerminalInput);

  // The keys that leave, for people.  Empty: there are none.
  kj::String howToLeave() const { return keys.describe(); }

  enum class End {
    LEFT,   // by the detach keys
    GONE,   // the local terminal is
    WHOLE,  // standard input is no terminal, and was read; the program is told that this is the end
  };
  // Reads standard input to its end.  Call once.
  kj::Promise<End> read();

  // Goes on with what waits, until dropped; one call at a time.  Fails when the terminal takes no more.
  kj::Promise<void> sendTo(rpc::Terminal::Client terminal);

private:
  Context& context;
  DetachKeys keys;
  bool interactive;
  ByteQueue waiting;
  kj::byte lastTyped = '\n';
  kj::Maybe<kj::Promise<void>> deciding;

  kj::Promise<void> decideLater();
};

}  // namespace bothy
