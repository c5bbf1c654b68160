#pragma once

#include <cstdint>

#include <kj/async-unix.h>
#include <kj/memory.h>
#include <kj/string.h>

namespace bothy {

// The terminal in front of the user, if there is one.
class LocalTerminal {
public:
  struct Size {
    uint16_t columns;
    uint16_t rows;
    uint16_t widthPixels;
    uint16_t heightPixels;
  };

  // Whether what is typed comes from a terminal.  If not, there is no raw mode.
  virtual bool isInteractive() = 0;

  // 1..4096 each way.  nullptr: output does not go to a terminal.
  virtual kj::Maybe<Size> size() = 0;

  // Hands keys over as they are typed, signals included.  Dropping the result restores what was before;
  // so does the end of the process by a signal.  One at a time.
  virtual kj::Own<void> enterRawMode() = 0;

  // What undoes in the terminal what was shown on it so far: written there if a crash ends the process in raw mode.  At most
  // MAX_UNDO_BYTES; of more than that nothing is undone.  Copied.
  virtual void undoAtCrash(kj::StringPtr sequence) = 0;
  static constexpr size_t MAX_UNDO_BYTES = 1024;

  // Resolves at the next change of the size, and after the process was stopped and continued.
  virtual kj::Promise<void> onResize() = 0;
};

// The terminal behind two descriptors, which it does not own.  Call `captureSignals` before the event
// port waits for the first time.
class RawTerminal final: public LocalTerminal {
public:
  RawTerminal(kj::UnixEventPort& port, int inputFd, int outputFd);
  static void captureSignals();

  bool isInteractive() override;
  kj::Maybe<Size> size() override;
  kj::Own<void> enterRawMode() override;
  void undoAtCrash(kj::StringPtr sequence) override;
  kj::Promise<void> onResize() override;

private:
  class RawMode;

  kj::UnixEventPort& port;
  int inputFd;
  int outputFd;
  kj::Maybe<RawMode&> rawMode;
};

}  // namespace bothy
