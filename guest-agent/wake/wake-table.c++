#include "wake/wake-table.h"

#include <kj/debug.h>
#include <string.h>

#include "schema/agent.capnp.h"

namespace bothy {
namespace {

static_assert(WAKE_LABEL_BYTES == rpc::MAX_WAKE_LABEL_BYTES);

kj::String refused(kj::StringPtr why) {
  return kj::str("no ", why, "\n");
}

// Up to the first blank; the rest is left in `words`.
kj::String firstOf(kj::StringPtr& words) {
  const auto blank = words.findFirst(' ').orDefault(words.size());
  auto first = kj::str(words.slice(0, blank));
  words = words.slice(blank < words.size() ? blank + 1 : blank);
  return first;
}

kj::Maybe<uint64_t> numberOf(kj::StringPtr text) {
  constexpr size_t MOST_DIGITS = 15;
  if (text.size() == 0 || text.size() > MOST_DIGITS) return nullptr;
  uint64_t number = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return nullptr;
    number = number * 10 + (c - '0');
  }
  return number;
}

// One line of text, as much as may be told.
kj::String labelOf(kj::StringPtr text) {
  auto label = kj::str(text.slice(0, kj::min(text.size(), size_t{WAKE_LABEL_BYTES})));
  for (char& c : label.asArray()) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return label;
}

}  // namespace

template <typename Ends>
uint32_t WakeTable::end(Ends&& ends) {
  kj::Vector<Wake> left;
  for (auto& wake : wakes) {
    if (!ends(wake)) left.add(kj::mv(wake));
  }
  const auto ended = static_cast<uint32_t>(wakes.size() - left.size());
  wakes = kj::mv(left);
  return ended;
}

kj::String WakeTable::answer(kj::StringPtr request, uid_t uid, uint64_t connection, uint64_t now) {
  pass(now);
  auto verb = firstOf(request);
  if (verb == "hold") return take(request, uid, connection, now);
  if (verb == "keep") return take(request, uid, nullptr, now);
  if (verb == "list") return list(now);
  if (verb == "release") return release(request, uid);
  return refused("no such request");
}

kj::String WakeTable::take(kj::StringPtr words, uid_t uid, kj::Maybe<uint64_t> connection,
                           uint64_t now) {
  auto time = numberOf(firstOf(words)).orDefault(0);
  if (time < LEAST_WAKE_MILLIS || time > rpc::MAX_GUEST_WAKE_MILLIS) {
    return refused(kj::str("the time must be ", LEAST_WAKE_MILLIS / 1000, " s to ",
                           rpc::MAX_GUEST_WAKE_MILLIS / 3'600'000, " h"));
  }
  uint32_t ofUser = 0;
  for (auto& wake : wakes) ofUser += wake.uid == uid;
  if (uid != 0 && ofUser >= MOST_WAKES_OF_USER) {
    return refused(kj::str("you have ", MOST_WAKES_OF_USER,
                           " wake locks, as many as you may: release one first"));
  }
  if (wakes.size() >= MOST_WAKES) {
    return refused(kj::str("this machine has ", MOST_WAKES,
                           " wake locks, as many as it may: release one first"));
  }
  wakes.add(Wake{++lastId, uid, now + time, connection, labelOf(words)});
  return kj::str("ok ", lastId, "\n");
}

kj::String WakeTable::list(uint64_t now) const {
  kj::Vector<kj::String> lines;
  for (auto& wake : wakes) {
    lines.add(kj::str(wake.id, " ", wake.uid, " ", wake.until - now,
                      wake.connection == nullptr ? " keep " : " hold ", wake.label, "\n"));
  }
  return kj::str(kj::strArray(lines, ""), "ok ", wakes.size(), "\n");
}

kj::String WakeTable::release(kj::StringPtr which, uid_t uid) {
  auto mayEnd = [&](const Wake& wake) { return uid == 0 || wake.uid == uid; };
  if (which == "all") return kj::str("ok ", end(mayEnd), "\n");
  auto number = numberOf(which);
  if (number == nullptr) return refused("this is no number of a wake lock");
  const auto id = KJ_ASSERT_NONNULL(number);
  for (auto& wake : wakes) {
    if (wake.id == id && !mayEnd(wake)) return refused("this wake lock is somebody else's");
  }
  const auto ended = end([&](const Wake& wake) { return wake.id == id; });
  if (ended == 0) return refused("there is no such wake lock, or it was over already");
  return kj::str("ok ", ended, "\n");
}

bool WakeTable::isHeldBy(uint64_t connection) const {
  for (auto& wake : wakes) {
    if (wake.connection == connection) return true;
  }
  return false;
}

void WakeTable::connectionEnded(uint64_t connection) {
  end([&](const Wake& wake) { return wake.connection == connection; });
}

void WakeTable::pass(uint64_t now) {
  end([&](const Wake& wake) { return wake.until <= now; });
}

kj::Maybe<uint64_t> WakeTable::nextEnd() const {
  kj::Maybe<uint64_t> first;
  for (auto& wake : wakes) first = kj::min(wake.until, first.orDefault(wake.until));
  return first;
}

WakeSummary WakeTable::summary() const {
  WakeSummary told;
  told.count = wakes.size();
  for (auto& wake : wakes) {
    if (wake.until <= told.untilMillis) continue;
    told.uid = wake.uid;
    told.untilMillis = wake.until;
    memset(told.label, 0, sizeof(told.label));
    memcpy(told.label, wake.label.begin(), wake.label.size());
  }
  return told;
}

}  // namespace bothy
