#pragma once

#include <stdint.h>

#include <kj/debug.h>

namespace bothy {

// How long one life of a simulated bothyd still lasts, counted in its effects.  Killed, it may go on until the
// loop has turned, as the rest of a turn cannot be taken back, but it has no effect any more and is not heard.
class Lifetime final {
public:
  Lifetime() = default;
  KJ_DISALLOW_COPY_AND_MOVE(Lifetime);

  bool isOver() const { return over; }
  void end() { over = true; }
  // It ends at the `steps`-th step() from now.
  void endAfter(uint64_t steps) { left = steps; }

  // Before and after each effect on the world.
  void step() {
    require();
    if (left > 0 && --left == 0) over = true;
  }
  // Before anything that a killed bothyd must not do.
  void require() const {
    if (over) kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "simulated: bothyd was killed"));
  }
  // Does what was under way at its end, and is done all the same: by the kernel, or by a thread that came to its own end.
  template <typename Func>
  void outlive(Func&& deed) {
    KJ_REQUIRE(over, "simulated: bothyd was not killed");
    over = false;
    left = 0;
    KJ_DEFER(over = true);
    deed();
  }

private:
  bool over = false;
  uint64_t left = 0;
};

// Runs `effect` with a possible end of this life before it and after it.
template <typename Func>
void apply(Lifetime& lifetime, Func&& effect) {
  lifetime.step();
  lifetime.require();
  effect();
  lifetime.step();
}

}  // namespace bothy
