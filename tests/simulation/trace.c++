#include "simulation/trace.h"

namespace bothy {
namespace {

constexpr size_t TIME_WIDTH = 15, ACTOR_WIDTH = 9;

kj::String paddedLeft(kj::String text, size_t width) {
  if (text.size() >= width) return text;
  return kj::str(kj::repeat(' ', width - text.size()), text);
}

}  // namespace

void Trace::add(kj::StringPtr actor, kj::String what) {
  uint64_t micros = (timer.now() - kj::origin<kj::TimePoint>()) / kj::MICROSECONDS;
  auto fraction = kj::str(1000000 + micros % 1000000);
  auto time = paddedLeft(kj::str(micros / 1000000, '.', fraction.slice(1)), TIME_WIDTH);
  size_t gap = actor.size() < ACTOR_WIDTH ? ACTOR_WIDTH - actor.size() : 0;
  auto line = kj::str(time, "  ", actor, kj::repeat(' ', gap), ' ', what, '\n');
  // FNV-1a.
  for (char c : line) hash = (hash ^ static_cast<kj::byte>(c)) * 0x100000001b3;
  lines.push_back(kj::mv(line));
  if (keep == Keep::LAST && lines.size() > TRACE_LINES) lines.pop_front();
}

kj::String Trace::text() const {
  return kj::strArray(lines, "");
}

}  // namespace bothy
