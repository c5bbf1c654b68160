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

// Texts stand one behind the other, each with a byte to its end: empty ones take something, too.
ActionLine& ActionLine::addList(kj::StringPtr name, kj::uint count,
                                kj::FunctionParam<kj::StringPtr(kj::uint)> text) {
  uint64_t total = 0;
  for (kj::uint i = 0; i < count; i++) total += text(i).size() + 1;
  const bool isWhole = total <= MAX_LIST_BYTES;
  const uint64_t hiddenBegin = isWhole ? total : MAX_LIST_BYTES / 2;
  const uint64_t hiddenEnd = isWhole ? total : total - MAX_LIST_BYTES / 2;
  // The first that has something of the end.
  kj::uint last = count;
  uint64_t lastBegin = total;
  while (last > 0 && lastBegin > hiddenEnd) lastBegin -= text(--last).size() + 1;

  addName(name);
  add("[");
  bool isMarked = false;
  uint64_t begin = 0;
  for (kj::uint i = 0; i < count; i++) {
    auto value = text(i);
    if (isMarked && i < last) {
      i = last;
      begin = lastBegin;
      value = text(i);
    }
    const auto front =
        cutAt(value, hiddenBegin > begin ? static_cast<size_t>(hiddenBegin - begin) : 0);
    const auto back = cutAt(value, hiddenEnd > begin ? static_cast<size_t>(hiddenEnd - begin) : 0);
    if (i > 0) add(",");
    if (begin + value.size() < hiddenBegin || begin >= hiddenEnd) {
      addText(value);
    } else {
      addText(kj::str(
          value.slice(0, front),
          isMarked ? kj::str(CUT) : kj::str(CUT, ' ', hiddenEnd - hiddenBegin, " bytes ", CUT),
          value.slice(back)));
      isMarked = true;
    }
    begin += value.size() + 1;
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
