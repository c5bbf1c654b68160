#pragma once

#include <kj/async-unix.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <sys/types.h>

#include "process/loop-touches.h"
#include "terminal/window-size.h"

namespace bothy {

// The controlling side of a pseudo-terminal.  Dropping it hangs up whoever is on the other side.
//
// The agent never runs anything of its own on it, and never makes it its own terminal.
class Pty final {
public:
  Pty(kj::UnixEventPort& eventPort, WindowSize size);
  ~Pty() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(Pty);

  // The program's side, to be its 0, 1 and 2, and owned by `uid`.  Once; the caller closes it as soon
  // as the program has it, or the end of the output would never show.
  kj::AutoCloseFd openProgramSide(kj::Maybe<uid_t> uid);

  // What others have of it is `mark`'s program's from now on.
  void belongTo(ProgramMark mark) { owner = mark; }

  // The foreground process group gets SIGWINCH if the size has changed.
  void resize(WindowSize size);

  // To the foreground process group; false if there is none.
  bool signal(int number);

  // EMPTY: nothing now.  CLOSED: nobody has the other side open.  Else `size` bytes were read.
  enum class ReadState { DATA, EMPTY, CLOSED };
  struct ReadResult {
    ReadState state;
    size_t size = 0;
  };
  // After a program has ended, all that it wrote comes before the first EMPTY or CLOSED: read(2) takes
  // over what the kernel has not yet put into the line discipline.
  ReadResult read(kj::ArrayPtr<kj::byte> buffer);
  // To be waited for only after EMPTY or CLOSED.
  kj::Promise<void> onReadable() { return observed().whenBecomesReadable(); }

  // Bytes taken: 0 if the input queue is full, none if nobody has the other side open.
  kj::Maybe<size_t> write(kj::ArrayPtr<const kj::byte> data);
  // To be waited for only after write() took less than it was given.
  kj::Promise<void> onWritable() { return observed().whenBecomesWritable(); }

private:
  kj::AutoCloseFd master;
  kj::Maybe<kj::UnixEventPort::FdObserver> observer;
  ProgramMark owner;

  kj::UnixEventPort::FdObserver& observed() { return KJ_ASSERT_NONNULL(observer); }
};

}  // namespace bothy
