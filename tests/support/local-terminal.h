#pragma once

#include <sys/types.h>

#include <kj/io.h>

#include "support/screen.h"

namespace bothy {

// A person at a terminal of this host: a program on a local pseudo-terminal, read through an emulator.
class LocalTerminal final {
public:
  LocalTerminal(kj::ArrayPtr<const kj::StringPtr> argv, uint16_t columns, uint16_t rows);
  // Ends the program.
  ~LocalTerminal() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(LocalTerminal);

  Screen screen;

  void type(kj::StringPtr text);
  void resize(uint16_t columns, uint16_t rows);
  // Reads output until the screen has `text`; fails the test with what it has after LIMIT_MILLIS.
  void waitForText(kj::StringPtr text);
  // Reads output to its end; returns the exit code, or 128 + the signal.
  int waitForExit();

  static constexpr int LIMIT_MILLIS = 60000;

private:
  kj::AutoCloseFd master;
  pid_t program = -1;

  // Feeds what comes to the screen.  False at the end of the output.
  bool pump(kj::StringPtr waitingFor);
};

}  // namespace bothy
