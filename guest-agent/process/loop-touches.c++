#include "process/loop-touches.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "process/watcher-clock.h"

namespace bothy {

namespace {

// A mark: from the lowest bit on the user, the generation and (counted from 1; 0: none) the place in the table of the control group.
constexpr uint32_t GENERATION_SHIFT = 32, GENERATION_BITS = 12;
constexpr uint32_t PLACE_SHIFT = GENERATION_SHIFT + GENERATION_BITS, PLACE_BITS = 16;
constexpr uint64_t OF_ANYBODY = uint64_t{1} << 62;
constexpr uint64_t IS_TOUCH = uint64_t{1} << 63;

// A group: user and generation as above, then the descriptor.
constexpr uint32_t FILE_SHIFT = PLACE_SHIFT, FILE_BITS = 20;
static_assert(FILE_SHIFT + FILE_BITS <= 64);

// A user who is refused: the second of the clock follows.
constexpr uint32_t REFUSAL_SHIFT = 32;

constexpr uint64_t field(uint64_t word, uint32_t shift, uint32_t bits) {
  return (word >> shift) & ((uint64_t{1} << bits) - 1);
}

constexpr uid_t ROOT = 0;

constexpr uint64_t WHOSE = (uint64_t{1} << PLACE_SHIFT) - 1;  // user and generation

}  // namespace

LoopTouches::LoopTouches() : groups(kj::heapArray<std::atomic<uint64_t>>(MAX_GROUPS)) {
  static_assert(MAX_GROUPS < (1u << PLACE_BITS));
}

ProgramMark LoopTouches::markOf(uid_t user) {
  return ProgramMark(*this, IS_TOUCH | user);
}

ProgramMark LoopTouches::markOfAnybody() {
  return ProgramMark(*this, IS_TOUCH | OF_ANYBODY);
}

ProgramMark LoopTouches::add(uid_t user, int killFile) {
  if (killFile < 0 || killFile >= 1 << FILE_BITS) return markOf(user);
  uint32_t place;
  if (!freed.empty()) {
    place = freed.back();
    freed.removeLast();
  } else if (used < MAX_GROUPS) {
    place = static_cast<uint32_t>(used++);
  } else {
    return markOf(user);
  }
  // What is left of a program marks what it had when another has its place.
  generation = static_cast<uint32_t>(field(generation + 1, 0, GENERATION_BITS));
  const uint64_t whose = user | uint64_t{generation} << GENERATION_SHIFT;
  groups[place].store(whose | static_cast<uint64_t>(killFile) << FILE_SHIFT);
  ++groupsOfUsers.findOrCreate(user, [&]() { return decltype(groupsOfUsers)::Entry{user, 0}; });
  return ProgramMark(*this, IS_TOUCH | uint64_t{place + 1} << PLACE_SHIFT | whose);
}

void LoopTouches::remove(ProgramMark mark) {
  const auto place = field(mark.word, PLACE_SHIFT, PLACE_BITS);
  if (place == 0) return;
  groups[place - 1].store(0);
  freed.add(static_cast<uint32_t>(place - 1));
  const auto user = static_cast<uid_t>(mark.word);
  KJ_IF_MAYBE (count, groupsOfUsers.find(user)) {
    if (--*count == 0) groupsOfUsers.erase(user);
  }
}

bool LoopTouches::hasRoomFor(uid_t user) const {
  const auto theirs = groupsOfUsers.find(user).orDefault(0);
  const auto left = MAX_GROUPS - (used - freed.size() - theirs);
  return user == ROOT || theirs == 0 || theirs < left - left / 4;
}

void LoopTouches::retire(kj::AutoCloseFd killFile) {
  // Who acts from now on finds the group no more.
  if (acting.load() != 0) {
    retired.add(kj::mv(killFile));
  } else {
    retired.clear();
  }
}

bool LoopTouches::State::isAnybodys() const {
  return (word & OF_ANYBODY) != 0;
}

uid_t LoopTouches::State::user() const {
  return static_cast<uid_t>(word);
}

LoopTouches::State LoopTouches::state() const {
  // A touch that begins or ends meanwhile makes another of the next look.
  State result;
  result.number = number.load(std::memory_order_acquire);
  result.word = current.load(std::memory_order_acquire);
  return result;
}

void LoopTouches::waitForTouch() {
  const auto before = state();
  asleep.store(1);
  if (current.load() == 0 && state() == before && !isWatchOver()) {
    syscall(SYS_futex, &asleep, FUTEX_WAIT_PRIVATE, 1, nullptr, nullptr, 0);
  }
  asleep.store(0);
}

void LoopTouches::endWatch() {
  watchIsOver.store(true);
  wake();
}

void LoopTouches::wake() {
  asleep.store(0);
  syscall(SYS_futex, &asleep, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

bool LoopTouches::kill(uint64_t group) {
  return write(static_cast<int>(field(group, FILE_SHIFT, FILE_BITS)), "1", 1) == 1;
}

uint LoopTouches::killGroupOf(const State& touch) {
  const auto place = field(touch.word, PLACE_SHIFT, PLACE_BITS);
  if (place == 0) return 0;
  acting.store(1);
  const auto group = groups[place - 1].load();
  const bool isKilled = ((group ^ touch.word) & WHOSE) == 0 && group != 0 && kill(group);
  acting.store(0);
  return isKilled ? 1 : 0;
}

uint LoopTouches::killGroupsOf(uid_t user) {
  uint result = 0;
  acting.store(1);
  for (auto& entry : groups) {
    const auto group = entry.load();
    if (group != 0 && static_cast<uid_t>(group) == user && kill(group)) ++result;
  }
  acting.store(0);
  return result;
}

bool LoopTouches::hasGroupOf(uid_t user) const {
  for (auto& entry : groups) {
    const auto group = entry.load();
    if (group != 0 && static_cast<uid_t>(group) == user) return true;
  }
  return false;
}

bool LoopTouches::isRefused(uid_t user) const {
  if (!isAnyRefused.load(std::memory_order_acquire)) return false;
  const auto now = monotonicNanos() / NANOS_PER_SECOND;
  for (auto& entry : refused) {
    const auto word = entry.load(std::memory_order_acquire);
    if (word != 0 && static_cast<uid_t>(word) == user && word >> REFUSAL_SHIFT > now) return true;
  }
  return false;
}

void LoopTouches::refuseStarts(uid_t user) {
  const auto now = monotonicNanos() / NANOS_PER_SECOND;
  const auto until = now + static_cast<uint64_t>(REFUSAL / kj::SECONDS);
  for (auto& entry : refused) {
    const auto word = entry.load(std::memory_order_relaxed);
    if (word != 0 && static_cast<uid_t>(word) != user && word >> REFUSAL_SHIFT > now) continue;
    entry.store(user | until << REFUSAL_SHIFT, std::memory_order_release);
    isAnyRefused.store(true, std::memory_order_release);
    return;
  }
}

}  // namespace bothy
