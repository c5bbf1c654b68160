#pragma once

#include <kj/string.h>
#include <kj/timer.h>

#include <deque>

namespace bothy {

// What happened in a simulated world, one line a step: virtual time, actor, what and how it went.
class Trace final {
public:
  enum class Keep { LAST, ALL };
  Trace(kj::Timer& timer, Keep keep) : timer(timer), keep(keep) {}
  KJ_DISALLOW_COPY_AND_MOVE(Trace);

  template <typename... Params>
  void line(kj::StringPtr actor, Params&&... what) {
    add(actor, kj::str(kj::fwd<Params>(what)...));
  }

  // With TRACE_LINES at the end of which it is told what went wrong, or all.
  kj::String text() const;
  // Equal for two traces with the same lines, kept or not.
  uint64_t digest() const { return hash; }

private:
  kj::Timer& timer;
  Keep keep;
  std::deque<kj::String> lines;
  uint64_t hash = 0xcbf29ce484222325;

  void add(kj::StringPtr actor, kj::String what);
};

constexpr size_t TRACE_LINES = 60;

}  // namespace bothy
