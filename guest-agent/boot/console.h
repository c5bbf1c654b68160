#pragma once

#include <kj/exception.h>
#include <kj/string.h>

namespace bothy {

// Where the agent speaks: the machine's console, one line a fact, each beginning with "bothy: ".  Text is
// escaped, so that nothing which came from a guest's user can forge a line or move a cursor.
class Console {
public:
  // Writes to `fd`, which is not owned and must stay open.  Never fails and never throws: who cannot be
  // heard goes on.
  explicit Console(int fd) : fd(fd) {}

  void say(kj::StringPtr line);

private:
  int fd;
};

// Sends what KJ logs to the console, one line each, and keeps KJ from looking up stack traces, for
// which it would run a program.  Works for as long as it lives, on the thread that made it.
class ConsoleLog final: public kj::ExceptionCallback {
public:
  explicit ConsoleLog(Console& console) : console(console) {}

  void logMessage(kj::LogSeverity severity, const char* file, int line, int contextDepth,
                  kj::String&& text) override;
  StackTraceMode stackTraceMode() override { return StackTraceMode::NONE; }

private:
  Console& console;
};

}  // namespace bothy
