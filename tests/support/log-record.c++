#include "support/log-record.h"

#include <kj/debug.h>

namespace bothy {

LogRecord::LogRecord() {
  // KJ tells nobody of what is below its own threshold.
  kj::_::Debug::setLogLevel(kj::LogSeverity::INFO);
}

LogRecord::~LogRecord() noexcept(false) {
  kj::_::Debug::setLogLevel(kj::LogSeverity::WARNING);
}

void LogRecord::logMessage(kj::LogSeverity severity, const char*, int, int, kj::String&& text) {
  lines.add(kj::str(severity, " ", text));
}

}  // namespace bothy
