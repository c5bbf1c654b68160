#pragma once

#include <kj/async-unix.h>
#include <kj/io.h>
#include <kj/timer.h>

#include <list>

#include "process/loop-touches.h"

namespace bothy {

// Pipes that programs which stay behind still write to, and nobody reads any more: a log of a server that an exec has left, say. What
// comes is discarded until the last writer closes the pipe, so that none of them dies of EPIPE for having been left.
class LeftPipes final {
public:
  // One more than `mostPipes`, and the oldest is closed.
  LeftPipes(kj::UnixEventPort& eventPort, kj::Timer& timer, size_t mostPipes = MOST_PIPES);
  ~LeftPipes() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(LeftPipes);

  // `pipe`: the read end, non-blocking.  `mark`: of the program.
  void add(kj::AutoCloseFd pipe, ProgramMark mark);
  // Those that have writers.
  size_t size() const;

  static constexpr size_t MOST_PIPES = 512;
  // At each look at a pipe all that is in it is discarded, up to TURN_BYTES.  A look that found something is followed by TURN_PAUSE, and
  // by one more for each PAUSE_PIPES pipes of which the last look did: whoever floods them is held back, and neither that nor single
  // bytes keep the agent busy; nor do silent pipes hold back a log.
  static constexpr size_t TURN_BYTES = 256 * 1024;
  static constexpr kj::Duration TURN_PAUSE = 20 * kj::MILLISECONDS;
  static constexpr size_t PAUSE_PIPES = 8;

private:
  struct Left {
    Left(kj::AutoCloseFd pipe, ProgramMark mark) : pipe(kj::mv(pipe)), mark(mark) {}
    ~Left() noexcept(false) { close(); }
    KJ_DISALLOW_COPY_AND_MOVE(Left);
    void close();
    // Closed when the last writer has ended.
    kj::AutoCloseFd pipe;
    const ProgramMark mark;
    bool isBusy = false;  // the last look found something
    kj::Promise<void> discarding = nullptr;
  };

  kj::UnixEventPort& eventPort;
  kj::Timer& timer;
  const size_t mostPipes;
  kj::AutoCloseFd nowhere;
  std::list<Left> pipes;  // the oldest first

  kj::Promise<void> discard(Left& left);
};

}  // namespace bothy
