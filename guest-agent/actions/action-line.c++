#include "actions/action-line.h"

#include <stdio.h>

#include <chrono>

#include "wire/escape.h"

namespace bothy {
namespace {

constexpr kj::StringPtr CUT = "..."_kj;

// RFC 3339, UTC, to the millisecond.  gmtime_r(3) would open /etc/localtime, which may be anything that waits.
kj::String timestamp(kj::Date now) {
  using namespace std::chrono;
  const sys_time<milliseconds> time(milliseconds((now - kj::UNIX_EPOCH) / kj::MILLISECONDS));
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  char text[40];
  snprintf(text, sizeof(text), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", int{date.year()},
           unsigned{date.month()}, unsigned{date.day()}, static_cast<int>(clock.hours().count()),
           static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
           static_cast<int>(clock.subseconds().count()));
  return kj::str(text);
}

// Not within a character of UTF-8.
size_t cutAt(kj::ArrayPtr<const char> text, size_t limit) {
  if (text.size() <= limit) return text.size();
  while (limit > 0 && (text[limit] & 0xc0) == 0x80) --limit;
  return limit;
}

}  // namespace

ActionLine::ActionLine(kj::Date now, kj::StringPtr what) {
  add("{\"time\":");
  addText(timestamp(now));
  text("what", what);
}

ActionLine& ActionLine::text(kj::StringPtr name, kj::StringPtr value) {
  addName(name);
  const auto end = cutAt(value, MAX_TEXT_BYTES);
  addText(end == value.size() ? kj::str(value) : kj::str(value.slice(0, end), CUT));
  return *this;
}

ActionLine& ActionLine::number(kj::StringPtr name, uint64_t value) {
  addName(name);
  add(kj::str(value));
  return *this;
}

ActionLine& ActionLine::list(kj::StringPtr name, kj::ArrayPtr<const kj::StringPtr> values) {
  addName(name);
  add("[");
  size_t left = MAX_LIST_BYTES;
  for (auto& value : values) {
    if (&value != values.begin()) add(",");
    if (value.size() + 1 > left) {
      const auto end = cutAt(value, left);
      addText(kj::str(value.slice(0, end), CUT));
      break;
    }
    // Empty ones take something too.
    left -= value.size() + 1;
    addText(value);
  }
  add("]");
  return *this;
}

kj::String ActionLine::finish() {
  add("}\n");
  line.add('\0');
  return kj::String(line.releaseAsArray());
}

kj::String linesLost(kj::Date now, uint64_t count) {
  return ActionLine(now, "lines lost").number("lines", count).finish();
}

void ActionLine::addName(kj::StringPtr name) {
  add(",\"");
  add(name);
  add("\":");
}

void ActionLine::addText(kj::ArrayPtr<const char> text) {
  line.add('"');
  for (char c : escapeGuestText(text)) {
    if (c == '"' || c == '\\') line.add('\\');
    line.add(c);
  }
  line.add('"');
}

}  // namespace bothy
