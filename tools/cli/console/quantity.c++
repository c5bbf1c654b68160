#include "console/quantity.h"

#include <ctime>

namespace bothy {
namespace {

struct Quantity {
  uint64_t number;
  kj::StringPtr unit;
};

// Leading digits, at most 18 of them, and what follows.
kj::Maybe<Quantity> split(kj::StringPtr text) {
  constexpr size_t MAX_DIGITS = 18;
  uint64_t number = 0;
  size_t digits = 0;
  for (char c : text) {
    if (c < '0' || c > '9') break;
    if (++digits > MAX_DIGITS) return nullptr;
    number = number * 10 + static_cast<uint64_t>(c - '0');
  }
  if (digits == 0) return nullptr;
  return Quantity{number, text.slice(digits)};
}

kj::String oneDecimal(uint64_t tenths, kj::StringPtr unit) {
  if (tenths >= 100) return kj::str((tenths + 5) / 10, unit);
  return kj::str(tenths / 10, ".", tenths % 10, unit);
}

kj::String twoDigits(uint64_t value) {
  return kj::str(value < 10 ? "0" : "", value);
}

}  // namespace

kj::Maybe<uint64_t> parseBytes(kj::StringPtr text) {
  KJ_IF_MAYBE (quantity, split(text)) {
    auto unit = quantity->unit;
    uint64_t bytes;
    if (unit == "" || unit == "M" || unit == "MiB") {
      bytes = 1ull << 20;
    } else if (unit == "K" || unit == "KiB") {
      bytes = 1ull << 10;
    } else if (unit == "G" || unit == "GiB") {
      bytes = 1ull << 30;
    } else if (unit == "T" || unit == "TiB") {
      bytes = 1ull << 40;
    } else {
      return nullptr;
    }
    if (quantity->number > UINT64_MAX / bytes) return nullptr;
    return quantity->number * bytes;
  }
  return nullptr;
}

kj::Maybe<uint32_t> parseMebibytes(kj::StringPtr text) {
  KJ_IF_MAYBE (bytes, parseBytes(text)) {
    const uint64_t mebibytes = *bytes >> 20;
    if (*bytes % (1ull << 20) == 0 && mebibytes <= UINT32_MAX) {
      return static_cast<uint32_t>(mebibytes);
    }
  }
  return nullptr;
}

kj::String formatMebibytes(uint64_t mebibytes) {
  constexpr uint64_t GIBIBYTE = 1ull << 10, TEBIBYTE = 1ull << 20;
  if (mebibytes > 0 && mebibytes % TEBIBYTE == 0) return kj::str(mebibytes / TEBIBYTE, "T");
  if (mebibytes > 0 && mebibytes % GIBIBYTE == 0) return kj::str(mebibytes / GIBIBYTE, "G");
  return kj::str(mebibytes, "M");
}

kj::Maybe<kj::Duration> parseDuration(kj::StringPtr text) {
  constexpr uint64_t MAX_NUMBER = 1'000'000'000;
  KJ_IF_MAYBE (quantity, split(text)) {
    if (quantity->number > MAX_NUMBER) return nullptr;
    auto number = static_cast<int64_t>(quantity->number);
    auto unit = quantity->unit;
    if (unit == "ms") return number * kj::MILLISECONDS;
    if (unit == "" || unit == "s") return number * kj::SECONDS;
    if (unit == "m") return number * kj::MINUTES;
    if (unit == "h" && number <= 1'000'000) return number * kj::HOURS;
    if (unit == "d" && number <= 40'000) return number * kj::DAYS;
  }
  return nullptr;
}

kj::Maybe<uint64_t> parseNumber(kj::StringPtr text, uint64_t maximum) {
  KJ_IF_MAYBE (quantity, split(text)) {
    if (quantity->unit == "" && quantity->number <= maximum) return quantity->number;
  }
  return nullptr;
}

kj::String formatBytes(uint64_t bytes) {
  constexpr kj::StringPtr UNITS[] = {" KiB"_kj, " MiB"_kj, " GiB"_kj,
                                     " TiB"_kj, " PiB"_kj, " EiB"_kj};
  if (bytes < 1024) return kj::str(bytes, " B");
  size_t unit = 0;
  uint64_t whole = bytes;
  while (whole >= 1024 * 1024 && unit + 1 < kj::size(UNITS)) {
    whole /= 1024;
    ++unit;
  }
  return oneDecimal(whole * 10 / 1024, UNITS[unit]);
}

kj::String formatDuration(kj::Duration duration) {
  auto millis = static_cast<uint64_t>(kj::max(duration / kj::MILLISECONDS, int64_t{0}));
  uint64_t seconds = millis / 1000;
  if (seconds < 60) return oneDecimal(millis / 100, "s");
  if (seconds < 3600) return kj::str(seconds / 60, "m", twoDigits(seconds % 60), "s");
  if (seconds < 86400) return kj::str(seconds / 3600, "h", twoDigits(seconds / 60 % 60), "m");
  return kj::str(seconds / 86400, "d", seconds / 3600 % 24, "h");
}

kj::String formatTime(int64_t unixNanos) {
  if (unixNanos == 0) return kj::str("-");
  time_t seconds = static_cast<time_t>(unixNanos / 1'000'000'000);
  struct tm parts{};
  if (localtime_r(&seconds, &parts) == nullptr) return kj::str("-");
  char text[32];
  size_t length = strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts);
  return kj::heapString(text, length);
}

}  // namespace bothy
