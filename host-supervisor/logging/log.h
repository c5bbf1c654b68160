#pragma once

#include <kj/exception.h>
#include <kj/function.h>
#include <kj/memory.h>

#include "config/settings.h"

namespace bothy {

// Where KJ_LOG goes while this object lives: one line a fact, as text or as JSON.  Text that came from
// outside cannot forge a line or move a cursor (S08).
//
// On the stack, below everything that logs, in the thread that logs (kj::ExceptionCallback); other
// threads inherit it if KJ started them.
class Log final: private kj::ExceptionCallback {
public:
  // `file` empty: standard error.  Fails if the file cannot be opened.
  Log(LogFormat format, LogLevel level, kj::StringPtr file);
  ~Log() noexcept(false);

private:
  struct Sink;
  kj::Own<Sink> sink;
  LogFormat format;

  void logMessage(kj::LogSeverity severity, const char* file, int line, int contextDepth,
                  kj::String&& text) override;
  // A trace is worth less than the time that symbols take (addr2line is a process each).
  StackTraceMode stackTraceMode() override { return StackTraceMode::NONE; }
  kj::Function<void(kj::Function<void()>)> getThreadInitializer() override;
};

// `text` within quotes, as JSON has it.  Bytes that are no UTF-8 must have been escaped.
kj::String jsonString(kj::StringPtr text);

}  // namespace bothy
