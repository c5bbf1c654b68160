#pragma once

#include <kj/async-unix.h>
#include <kj/io.h>
#include <kj/timer.h>

#include <list>

namespace bothy {

// Pipes that programs which stay behind still write to, and nobody reads any more: a log of a server that an exec has left, say. What
// comes is discarded until the last writer closes the pipe, so that none of them dies of EPIPE for having been left.
class LeftPipes final {
public:
  LeftPipes(kj::UnixEventPort& eventPort, kj::Timer& timer);
  ~LeftPipes() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(LeftPipes);

  // `pipe`: the read end, non-blocking.
  void add(kj::AutoCloseFd pipe);
  // Those that have writers.
  size_t size() const;

  // One more, and the oldest is closed.
  static constexpr size_t MOST_PIPES = 512;
  // So much is discarded of one pipe, in bytes, and then nothing for so long: what writes more is held back, and does not keep the agent
  // busy.
  static constexpr size_t TURN_BYTES = 256 * 1024;
  static constexpr kj::Duration TURN_PAUSE = 20 * kj::MILLISECONDS;

private:
  struct Left {
    // Closed when the last writer has ended.
    kj::AutoCloseFd pipe;
    kj::Promise<void> discarding = nullptr;
  };

  kj::UnixEventPort& eventPort;
  kj::Timer& timer;
  kj::AutoCloseFd nowhere;
  std::list<Left> pipes;  // the oldest first

  kj::Promise<void> discard(Left& left);
};

}  // namespace bothy
