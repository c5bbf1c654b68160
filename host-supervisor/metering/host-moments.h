#pragma once

#include <kj/time.h>

#include "store/usage-records.h"

namespace bothy {

// The host's clock that nobody sets, and its boot.
class HostMoments final {
public:
  // `clock` tells what a moment is called, and outlives it.
  explicit HostMoments(const kj::Clock& clock);

  Moment now() const;

private:
  const kj::Clock& clock;
  const int64_t boot;
};

// How long it was from one to the other: by the clock that nobody sets where the host was not booted between them, else by what they are
// called, at most `most`.  0 where `until` is before `from`.
int64_t millisBetween(const Moment& from, const Moment& until, int64_t mostMillis);

}  // namespace bothy
