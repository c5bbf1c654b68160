#pragma once

#include <kj/async.h>
#include <kj/string.h>
#include <kj/vector.h>

#include "schema/process.capnp.h"

namespace bothy {

// The program that was started last in a fake workspace.  "cat" copies its input, "exit N" exits, "kill N" is
// killed, "talk" writes to both outputs, "sleep" waits for a signal that ends it; everything else is not
// found, "locked" not executable.  One that is kept can be had again, as long as the test lets it, also by its
// request id.
class FakeProgram final {
public:
  FakeProgram() = default;
  KJ_DISALLOW_COPY_AND_MOVE(FakeProgram);

  kj::uint starts = 0;
  kj::String command;  // argv joined by blanks
  kj::String user;
  kj::String environment;  // "A=1 B=2"
  bool inputEnded = false;
  bool knowsNoStdin = true;  // else it gives one that was not asked for, as an older agent
  bool hasNoStdin = false;   // none was asked for
  kj::Vector<uint8_t> signals;
  bool dropped = false;      // nobody holds it any more
  bool ended = false;        // by `end`
  bool forgotten = false;    // it cannot be had again
  bool neverStarts = false;  // its start is not answered
  bool neverEnds = false;    // nor is `end`
  kj::String input;          // all that came
  kj::String said;           // on its standard output
  kj::String saidErrors;
  uint64_t lost = 0;  // a gap before what comes of its standard output

  // `Processes` that start it; it outlives every capability that came of them.
  rpc::Processes::Client serve();

private:
  friend class FakeProcesses;
  kj::String requestId;
  int code = 0;
  bool timedOut = false;
  bool ranOutOfMemory = false;
  kj::Maybe<kj::ForkedPromise<void>> ending;
  kj::Own<kj::PromiseFulfiller<void>> end;
  // Where it writes to.
  kj::Maybe<rpc::ByteSink::Client> output;
  kj::Maybe<rpc::ByteSink::Client> errors;
  kj::uint writer = 0;  // of its input: whoever came last
};

}  // namespace bothy
