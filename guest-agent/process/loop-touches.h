#pragma once

#include <kj/array.h>
#include <kj/io.h>
#include <kj/map.h>
#include <kj/time.h>
#include <kj/vector.h>
#include <stdint.h>
#include <sys/types.h>

#include <atomic>

namespace bothy {

class LoopTouches;

// Whose something is that the event loop shares with a program: its user, and its control group where it has one.
class ProgramMark final {
public:
  // Nobody's: nothing else has it.
  ProgramMark() = default;

private:
  ProgramMark(LoopTouches& touches, uint64_t word) : touches(&touches), word(word) {}
  LoopTouches* touches = nullptr;
  uint64_t word = 0;
  friend class LoopTouches;
  friend class Touch;
};

// What the event loop is at, for LoopWatcher, which sees it from a thread of its own.
//
// A pipe, a PTY, a socket and a directory have locks in the kernel, for which each who uses them waits without a limit, O_NONBLOCK or not.
// A program holds one for as long as it likes if it has the kernel copy from or to a page whose file system does not answer: a FUSE of
// its user's own.  So where the loop uses what others have as well, it says first whose that is (Touch), which costs some
// nanoseconds, and a system call for the first after a rest of the watcher.
class LoopTouches final {
public:
  LoopTouches();
  KJ_DISALLOW_COPY_AND_MOVE(LoopTouches);

  // --- For the loop.

  // Of a program whose control group is not known.
  ProgramMark markOf(uid_t user);
  // Of what everybody may hold up: directories that all may list.
  ProgramMark markOfAnybody();
  // Of a program in a control group, whose cgroup.kill is open for writing, until remove().
  ProgramMark add(uid_t user, int killFile);
  void remove(ProgramMark mark);
  // Closes what add() was given, once nobody is about to write to it.  After remove().
  void retire(kj::AutoCloseFd killFile);
  // The user may start nothing now: less than REFUSAL ago all his programs were ended, since they held up the loop again and again.
  bool isRefused(uid_t user) const;
  static constexpr kj::Duration REFUSAL = 1 * kj::MINUTES;
  // Whether the user may start one program more.  Who is not root has three quarters of what others leave of MAX_GROUPS: what is beyond that
  // could not be killed for itself, and nobody may take from others what their programs are ended by.
  bool hasRoomFor(uid_t user) const;

  // Programs, and control groups that are left with what such have started.  A group beyond these is not killed for itself.
  static constexpr size_t MAX_GROUPS = 2048;

  // --- For the watcher.

  // What the loop is at: the same twice is one touch that lasts.
  struct State {
    uint64_t number = 0;  // of touches begun and ended
    uint64_t word = 0;    // 0: it touches nothing
    bool operator==(const State& other) const = default;

    bool isTouch() const { return word != 0; }
    bool isAnybodys() const;
    uid_t user() const;
  };
  State state() const;
  // Returns when the loop touches something, at once if it does now, or when nobody is to watch any more.
  void waitForTouch();
  void endWatch();
  bool isWatchOver() const { return watchIsOver.load(); }

  // SIGKILL for all in the control group of a touch, or in those of all programs of a user; how many groups.
  uint killGroupOf(const State& state);
  uint killGroupsOf(uid_t user);
  // The user has programs in control groups of their own.
  bool hasGroupOf(uid_t user) const;
  // See isRefused(), from now on.
  void refuseStarts(uid_t user);

private:
  // More users than these are not refused.
  static constexpr size_t MAX_REFUSED = 64;

  std::atomic<uint64_t> number = 0;
  std::atomic<uint64_t> current = 0;
  std::atomic<uint32_t> asleep = 0;  // the watcher is, and wants to be woken
  std::atomic<uint32_t> acting = 0;  // the watcher writes to files of `groups`
  std::atomic<bool> watchIsOver = false;
  // User, generation and file; 0: free.
  kj::Array<std::atomic<uint64_t>> groups;
  // The user in the lower half, then the second of the clock from which on he may start programs again; 0: free.
  std::atomic<uint64_t> refused[MAX_REFUSED] = {};
  std::atomic<bool> isAnyRefused = false;
  uint32_t generation = 0;
  size_t used = 0;  // those beyond were never used
  kj::Vector<uint32_t> freed;
  kj::HashMap<uid_t, size_t> groupsOfUsers;  // of those who have some
  kj::Vector<kj::AutoCloseFd> retired;

  void wake();
  static bool kill(uint64_t group);
  friend class Touch;
};

// While it lives, the loop touches what is marked, and nothing else.
class Touch final {
public:
  explicit Touch(const ProgramMark& mark) : touches(mark.touches) {
    if (touches == nullptr) return;
    before = touches->current.load(std::memory_order_relaxed);
    count();
    // With a barrier: either the watcher sees it before it sleeps, or this sees that it sleeps.
    touches->current.exchange(mark.word, std::memory_order_seq_cst);
    if (touches->asleep.load(std::memory_order_seq_cst) != 0) touches->wake();
  }
  ~Touch() {
    if (touches == nullptr) return;
    count();
    touches->current.store(before, std::memory_order_release);
  }
  KJ_DISALLOW_COPY_AND_MOVE(Touch);

private:
  LoopTouches* const touches;
  uint64_t before = 0;

  void count() {
    touches->number.store(touches->number.load(std::memory_order_relaxed) + 1,
                          std::memory_order_release);
  }
};

}  // namespace bothy
