#pragma once

#include <kj/refcount.h>
#include <kj/timer.h>

namespace bothy {

// Holds what is read of all terminals that nobody watches to rpc::UNWATCHED_BYTES_PER_SECOND, after a burst of
// rpc::SCROLLBACK_BYTES.
class UnwatchedPace final: public kj::Refcounted {
public:
  // `timer` outlives it.
  explicit UnwatchedPace(kj::Timer& timer) : timer(timer), paidUntil(timer.now()) {}
  KJ_DISALLOW_COPY_AND_MOVE(UnwatchedPace);

  // So much was read of one.
  void note(size_t bytes);
  // Whether more may be read now.
  bool isAllowed() const;
  // Resolves when it may, unless others come before.
  kj::Promise<void> whenAllowed();

private:
  kj::Timer& timer;
  kj::TimePoint paidUntil;  // what was read takes until then
};

}  // namespace bothy
