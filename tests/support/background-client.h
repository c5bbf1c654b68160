#pragma once

#include <kj/io.h>
#include <sys/types.h>

#include "support/host-program.h"
#include "support/supervised-host.h"

namespace bothy {

// A `bothy` that runs beside the test, with no input.
//
// Dropping it kills the program.
class BackgroundClient final {
public:
  enum class Output { KEPT, DROPPED };
  BackgroundClient(SupervisedHost& host, kj::ArrayPtr<const kj::StringPtr> arguments,
                   Output output = Output::KEPT);
  ~BackgroundClient() noexcept(false) { kill(); }
  KJ_DISALLOW_COPY_AND_MOVE(BackgroundClient);

  bool isRunning();
  // Waits for its end, at most PROGRAM_LIMIT_SECONDS.
  FinishedProgram finish();
  void kill();

  // Stops it; returns when none of its threads runs any more.
  void stop() { stopAndWait(pid); }
  void resume();
  // Bytes that it has read or written, whichever is more, of files and of whatever else.
  uint64_t transferred();
  // Returns when it has transferred so many.  Fails the test if it ends before.
  void awaitTransfer(uint64_t bytes);
  // Everything that it has written to its standard error so far.
  kj::String errors();

private:
  pid_t pid = -1;
  kj::AutoCloseFd process;  // pidfd
  kj::AutoCloseFd out, err;

  bool awaitEnd(int millis);
};

}  // namespace bothy
