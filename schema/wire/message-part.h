#pragma once

#include <kj/common.h>
#include <kj/time.h>

namespace bothy {

// A message of which a part has come: how much, how its peer goes on with it, and how long it is held up here.
class MessagePart final {
public:
  // A peer that has sent less than so much in that time stands still.  What it is held up does not count.
  static constexpr kj::Duration MOST_STANDSTILL = 30 * kj::SECONDS;
  static constexpr size_t LEAST_BYTES_PER_SECOND = 32 * 1024;
  static constexpr size_t LEAST_BYTES = MOST_STANDSTILL / kj::SECONDS * LEAST_BYTES_PER_SECOND;

  bool hasBegun() const { return begun; }
  size_t bytes() const { return come; }

  // So much has come in all.  To be followed by one of the next two.
  void grow(size_t bytes) {
    begun = true;
    come = bytes;
    if (come - comeBefore < LEAST_BYTES) return;
    comeBefore = come;
    time = 0 * kj::SECONDS;
    awaited = nullptr;
  }
  // The next of it is waited for.
  void await(kj::TimePoint now) {
    heldUp = nullptr;
    if (awaited == nullptr) awaited = now;
  }
  // Nothing is read of it, from now on.
  void holdUp(kj::TimePoint now) {
    KJ_IF_MAYBE (since, awaited) time += now - *since;
    awaited = nullptr;
    heldUp = now;
  }

  bool isStandingStill(kj::TimePoint now) const {
    KJ_IF_MAYBE (since, awaited) return time + (now - *since) >= MOST_STANDSTILL;
    return false;
  }
  kj::Duration heldUpFor(kj::TimePoint now) const {
    KJ_IF_MAYBE (since, heldUp) return now - *since;
    return 0 * kj::SECONDS;
  }

private:
  bool begun = false;
  size_t come = 0;
  // Since LEAST_BYTES came last: what had come then, and how long the next was waited for, but for the wait that goes on.
  size_t comeBefore = 0;
  kj::Duration time = 0 * kj::SECONDS;
  kj::Maybe<kj::TimePoint> awaited, heldUp;
};

}  // namespace bothy
