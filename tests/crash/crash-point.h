#pragma once

#include <stdint.h>

#include <kj/async.h>
#include <kj/string.h>

#include <string>
#include <type_traits>

namespace bothy {

// Kills this process at a step that a test has chosen.  The test writes a number N into the file that the environment's
// BOTHY_CRASH_FILE names, and "is under way" behind it if no other steps are meant; from then on steps are counted, and the
// N-th ends the process by SIGKILL after it has left its name in the file, with ".step" after its name.
//
// What begins when an effect is done, before this process has waited for anything, is the same moment as that: it is no
// step of its own.
class CrashPoint final {
public:
  CrashPoint();
  KJ_DISALLOW_COPY_AND_MOVE(CrashPoint);

  // "EFFECT begins": nothing of it has happened.
  void begins(kj::StringPtr effect);
  // "EFFECT is done": and nothing else has happened since.
  void isDone(kj::StringPtr effect);

  // For an effect that takes time: "EFFECT is under way" when the loop has turned, then isDone().
  template <typename T>
  kj::Promise<T> follow(kj::StringPtr effect, kj::Promise<T> promise) {
    co_await kj::evalLater([]() {});
    step(effect, "is under way");
    if constexpr (std::is_void_v<T>) {
      co_await promise;
      isDone(effect);
    } else {
      T result = co_await promise;
      isDone(effect);
      co_return kj::mv(result);
    }
  }

private:
  kj::String file;
  uint64_t left = 0;
  // Only steps of which that is said; empty: all.
  std::string only;
  // Of all effects that were done.
  uint64_t done = 0;
  // An effect is done, and the loop has not waited since.
  bool isSameMoment = false;

  void step(kj::StringPtr effect, kj::StringPtr where);
};

}  // namespace bothy
