#pragma once

#include <kj/async-unix.h>
#include <kj/io.h>

#include "schema/stream.capnp.h"

namespace bothy {

// Carries what a program writes to a pipe to a sink, as fast as the sink takes it and no faster: what
// is not yet sent stays in the pipe, where it stops the program.
//
// A sink that fails closes the pipe, so that the program gets SIGPIPE, as from a closed pipe in a shell.
// Dropping the pump does the same.
class OutputPump final {
public:
  // `pipe`: the read end, non-blocking.
  OutputPump(kj::UnixEventPort& eventPort, kj::AutoCloseFd pipe, rpc::ByteSink::Client sink);
  ~OutputPump() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(OutputPump);

  // The program has ended: delivers what is in the pipe now, then no more, though somebody may still
  // hold the other end.
  void finish();

  // Resolves when the pipe was closed by all writers or finish() is through, and the sink has
  // answered `end`; also when the sink failed.  Never fails.
  kj::Promise<void> onDone() { return done.addBranch(); }

private:
  kj::AutoCloseFd pipe;
  kj::Maybe<kj::UnixEventPort::FdObserver> observer;
  rpc::ByteSink::Client sink;
  bool enlarged = false;
  kj::Maybe<size_t> remaining;  // set by finish(): bytes still to be delivered
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> finishing;
  kj::ForkedPromise<void> done;

  kj::Promise<void> run();
  kj::Promise<void> deliver();
  kj::Promise<void> send(size_t size);
  kj::Promise<void> onReadable();
  size_t countAvailable();
  bool isClosed();
};

}  // namespace bothy
