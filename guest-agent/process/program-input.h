#pragma once

#include <kj/async-unix.h>
#include <kj/io.h>
#include <kj/refcount.h>

#include "process/loop-touches.h"

namespace bothy {

// The write end of a program's standard input, for one writer at a time.
class ProgramInput final: public kj::Refcounted {
public:
  // `pipe`: non-blocking.  `mark`: of the program.
  ProgramInput(kj::UnixEventPort& eventPort, kj::AutoCloseFd pipe, ProgramMark mark)
      : eventPort(eventPort), pipe(kj::mv(pipe)), mark(mark) {}
  ~ProgramInput() noexcept(false) { close(); }
  KJ_DISALLOW_COPY_AND_MOVE(ProgramInput);

  // Makes the caller the writer: whoever was it before fails from now on.
  uint64_t takeOver() { return ++writer; }

  // Returns once the pipe has taken all of it: nothing is queued here.  DISCONNECTED after close(), when the program
  // reads no more, and for who is not the writer.
  kj::Promise<void> write(uint64_t as, kj::ArrayPtr<const kj::byte> data);
  void end(uint64_t as);
  // Idempotent.
  void close();

  // Bytes that the pipe has taken.
  uint64_t received() const { return taken; }

  kj::Own<ProgramInput> addRef() { return kj::addRef(*this); }

private:
  kj::UnixEventPort& eventPort;
  kj::AutoCloseFd pipe;
  const ProgramMark mark;
  kj::Maybe<kj::UnixEventPort::FdObserver> observer;  // made when the pipe is first full
  uint64_t writer = 0;
  uint64_t taken = 0;

  ssize_t writeNow(kj::ArrayPtr<const kj::byte> data);
  void requireOpen(uint64_t as);
  kj::Promise<void> onWritable();
};

}  // namespace bothy
