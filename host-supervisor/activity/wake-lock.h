#pragma once

#include <kj/time.h>

#include "schema/activity.capnp.h"
#include "store/records.h"

namespace bothy {

constexpr uint64_t MIN_WAKE_MILLIS = 1000;

// Keeps a workspace awake until then.
struct WakeLock {
  WakeLockRow row;
  kj::TimePoint until;
};

// What a client asks for.
struct WakeLockWish {
  uint64_t forMillis = 0;
  // For people; may be empty.
  kj::String reason;
  // Who asks, for people.
  kj::String holder;
};
// Why nobody may have it, with the limit.
kj::Maybe<kj::String> faultOf(const WakeLockWish& wish);

}  // namespace bothy
