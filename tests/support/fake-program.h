#pragma once

#include <kj/async.h>
#include <kj/string.h>
#include <kj/vector.h>

#include "schema/process.capnp.h"

namespace bothy {

// The program that was started last in a fake workspace.  "cat" copies its input, "exit N" exits, "kill N" is
// killed, "talk" writes to both outputs, "sleep" waits for a signal that ends it; everything else is not
// found, "locked" not executable.  One that is kept can be had again, as long as the test lets it.
class FakeProgram final {
public:
  FakeProgram() = default;
  KJ_DISALLOW_COPY_AND_MOVE(FakeProgram);

  kj::String command;  // argv joined by blanks
  kj::String user;
  kj::String environment;  // "A=1 B=2"
  bool inputEnded = false;
  kj::Vector<uint8_t> signals;
  bool dropped = false;    // nobody holds it any more
  bool ended = false;      // by `end`
  bool neverKept = false;  // as by an agent that is too old for it
  bool forgotten = false;  // it cannot be had again
  kj::String input;        // all that came
  kj::String said;         // on its standard output

  // `Processes` that start it; it outlives every capability that came of them.
  rpc::Processes::Client serve();

private:
  friend class FakeProcesses;
  int code = 0;
  bool timedOut = false;
  kj::Maybe<kj::ForkedPromise<void>> ending;
  kj::Own<kj::PromiseFulfiller<void>> end;
};

}  // namespace bothy
