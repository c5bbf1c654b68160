#pragma once

#include <kj/map.h>
#include <kj/memory.h>
#include <kj/timer.h>

#include "control/client-identity.h"
#include "loop/log-pace.h"

namespace bothy {

// Watches of events that a client may hold, and that all clients of a user's may.  Each event is read and told for each of them.
constexpr kj::uint MAX_HELD_WATCHES = 64;
constexpr kj::uint MAX_WATCHES_OF_USER = 256;

// What all watches of events have in common.
class EventWatches final {
public:
  // `timer` outlives it.
  explicit EventWatches(kj::Timer& timer) : timer(timer), unreadable(timer, 1 * kj::SECONDS) {}
  KJ_DISALLOW_COPY_AND_MOVE(EventWatches);

  // One of the watches that a client may hold, for as long as this object lives, which the EventWatches outlive.
  class Place final {
  public:
    Place(EventWatches& watches, const ClientIdentity& client);
    ~Place() noexcept(false);
    KJ_DISALLOW_COPY_AND_MOVE(Place);

  private:
    EventWatches& watches;
    const uint64_t client;
    const uid_t user;
  };
  // Fails with OVERLOADED where the client, or its user, has as many as it may.
  kj::Own<Place> requirePlace(const ClientIdentity& client);

  // Tells the log, for all of them together.
  void noteUnreadable(const kj::Exception& why);

  kj::Timer& timer;

private:
  kj::HashMap<uint64_t, kj::uint> byClient;
  kj::HashMap<uid_t, kj::uint> byUser;
  LogPace unreadable;
};

}  // namespace bothy
