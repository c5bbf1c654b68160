#include "logging/log.h"

#include <fcntl.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/function.h>
#include <kj/vector.h>

#include "wire/escape.h"

namespace bothy {
namespace {

spdlog::level::level_enum levelOf(kj::LogSeverity severity) {
  switch (severity) {
    case kj::LogSeverity::DBG:
      return spdlog::level::debug;
    case kj::LogSeverity::INFO:
      return spdlog::level::info;
    case kj::LogSeverity::WARNING:
      return spdlog::level::warn;
    case kj::LogSeverity::ERROR:
      return spdlog::level::err;
    case kj::LogSeverity::FATAL:
      return spdlog::level::critical;
  }
  KJ_UNREACHABLE;
}

spdlog::level::level_enum levelOf(LogLevel level) {
  switch (level) {
    case LogLevel::INFO:
      return spdlog::level::info;
    case LogLevel::WARNING:
      return spdlog::level::warn;
    case LogLevel::ERROR:
      return spdlog::level::err;
  }
  KJ_UNREACHABLE;
}

// spdlog opens files with the umask's mode: make it ours first, at 0600.
void createPrivately(kj::StringPtr file) {
  int fd;
  KJ_SYSCALL(fd = open(file.cStr(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), file);
  close(fd);
}

}  // namespace

struct Log::Sink {
  spdlog::logger logger;

  Sink(LogFormat format, LogLevel level, kj::StringPtr file) : logger("bothyd", make(file)) {
    logger.set_level(levelOf(level));
    logger.flush_on(spdlog::level::trace);
    logger.set_pattern(format == LogFormat::JSON
                           ? "{\"time\":\"%Y-%m-%dT%H:%M:%S.%fZ\",\"level\":\"%l\",%v}"
                           : "%Y-%m-%dT%H:%M:%S.%fZ %l %v",
                       spdlog::pattern_time_type::utc);
  }

  static spdlog::sink_ptr make(kj::StringPtr file) {
    if (file.size() == 0) return std::make_shared<spdlog::sinks::stderr_sink_mt>();
    createPrivately(file);
    return std::make_shared<spdlog::sinks::basic_file_sink_mt>(file.cStr());
  }
};

Log::Log(LogFormat format, LogLevel level, kj::StringPtr file)
    : sink(kj::heap<Sink>(format, level, file)), format(format) {
  // KJ drops what is below its own threshold (WARNING at first) before we see it.
  kj::_::Debug::setLogLevel(kj::LogSeverity::INFO);
}

Log::~Log() noexcept(false) {}

void Log::logMessage(kj::LogSeverity severity, const char* file, int line, int contextDepth,
                     kj::String&& text) {
  // What the libraries tell at this level is about themselves.
  kj::StringPtr source = file;
  bool library = source.startsWith("capnp/") || source.startsWith("kj/");
  if (library && severity < kj::LogSeverity::WARNING) return;
  auto safe = escapeGuestText(text.asArray());
  auto place = kj::str(file, ":", line);
  auto message = format == LogFormat::JSON
                     ? kj::str("\"message\":", jsonString(safe), ",\"source\":", jsonString(place))
                     : kj::str(safe, " [", place, "]");
  sink->logger.log(levelOf(severity), spdlog::string_view_t(message.begin(), message.size()));
}

kj::Function<void(kj::Function<void()>)> Log::getThreadInitializer() {
  // spdlog's sinks are thread-safe: a thread gets a callback of its own onto the same sink.
  class ThreadLog final: private kj::ExceptionCallback {
  public:
    explicit ThreadLog(Log& log) : log(log) {}

  private:
    Log& log;
    void logMessage(kj::LogSeverity severity, const char* file, int line, int contextDepth,
                    kj::String&& text) override {
      log.logMessage(severity, file, line, contextDepth, kj::mv(text));
    }
  };
  return [this](kj::Function<void()> body) {
    ThreadLog threadLog(*this);
    body();
  };
}

kj::String jsonString(kj::StringPtr text) {
  static constexpr char HEX[] = "0123456789abcdef";
  kj::Vector<char> out(text.size() + 16);
  out.add('"');
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out.add('\\');
      out.add(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out.addAll(kj::StringPtr("\\u00"));
      out.add(HEX[(c >> 4) & 15]);
      out.add(HEX[c & 15]);
    } else {
      out.add(c);
    }
  }
  out.add('"');
  out.add('\0');
  return kj::String(out.releaseAsArray());
}

}  // namespace bothy
