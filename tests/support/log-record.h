#pragma once

#include <kj/exception.h>
#include <kj/vector.h>

namespace bothy {

// What this thread logs while it lives, from INFO on: "info a message; name = value".  On the stack, as any ExceptionCallback.
class LogRecord final: public kj::ExceptionCallback {
public:
  kj::Vector<kj::String> lines;

  LogRecord();
  ~LogRecord() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(LogRecord);

  void logMessage(kj::LogSeverity severity, const char*, int, int, kj::String&& text) override;
};

}  // namespace bothy
