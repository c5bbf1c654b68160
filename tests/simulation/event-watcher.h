#pragma once

#include "simulation/incarnation.h"
#include "simulation/ledger.h"

namespace bothy {

// A client that hears of events, in one life of bothyd after the other: each comes once, in order, and none that is kept is missed.
class EventWatcher final {
public:
  // `longestPause`: between two looks, for one that reads slowly.
  EventWatcher(SimulatedHost& host, Ledger& ledger, Incarnation& bothyd, size_t number,
               kj::Duration longestPause)
      : host(host), ledger(ledger), bothyd(bothyd), number(number), longestPause(longestPause) {}
  KJ_DISALLOW_COPY_AND_MOVE(EventWatcher);

  // Until the life, which owns what this returns, is over.
  kj::Promise<void> watch();

private:
  SimulatedHost& host;
  Ledger& ledger;
  Incarnation& bothyd;
  const size_t number;
  const kj::Duration longestPause;

  void hear(const EventPage& page);
};

}  // namespace bothy
