#pragma once

#include <kj/async-io.h>

#include "schema/stream.capnp.h"
#include "wire/byte-tail.h"
#include "wire/waiters.h"

namespace bothy {

// Standard input on its way to a program in a workspace, over any number of connections: in order and each byte once.
class ProgramFeed final {
public:
  ProgramFeed();
  KJ_DISALLOW_COPY_AND_MOVE(ProgramFeed);

  // There is none: the program gets its end at once.
  void finish();
  // It is known that nothing comes.
  bool isEmpty() const { return isWhole && tail.end() == 0; }
  // Reads `input` to its end, no faster than it is sent.  Call once.
  kj::Promise<void> read(kj::AsyncInputStream& input);

  // Sends what comes from byte `from` on, which is as much as the program has had, and then the end.  One call at a
  // time.  Fails when `sink` does.
  kj::Promise<void> sendTo(rpc::ByteSink::Client sink, uint64_t from);

private:
  // What was sent last may have to be sent again.
  ByteTail tail;
  uint64_t sent = 0;
  bool isWhole = false;
  // Of the reader and the sender, whoever waits for the other.
  Waiters changes;
};

}  // namespace bothy
