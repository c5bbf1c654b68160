#pragma once

#include <kj/string.h>

#include "store/usage-records.h"

namespace bothy {

// What an operator takes for each, in one currency.
struct Prices {
  double cpuSecond = 0;
  double memoryMibSecond = 0;
  double diskGibSecond = 0;

  double of(const UsageSums& sums) const;
};
// From lines of `name = value`.  Fails with what is wrong, and in which line.
Prices parsePrices(kj::StringPtr text);

// A day of a platform: of all users some have a workspace, of which at each moment so many run, while the others are paused.
struct DayPlan {
  uint32_t users = 10000;
  uint32_t running = 500;
  uint32_t paused = 2000;
  uint32_t cpus = 2;
  uint32_t memoryMib = 2048;
  uint32_t diskMib = 10240;
  // Of its processors, by whom a workspace is used, and where nobody uses it but it runs.
  uint32_t usedPermille = 150;
  uint32_t idlePermille = 5;
};

struct DayBill {
  // Booked by the real metering, from its records.
  UsageSums metered;
  // Of as many machines as there are users, all of which run the whole day and do the same work.
  UsageSums alwaysOn;
  uint64_t records = 0;
  uint64_t looks = 0;
};

// In virtual time; the same seed gives the same day.  The calling thread must have no event loop.
DayBill simulateDay(uint64_t seed, const DayPlan& plan);

// For people.
kj::String describe(const DayPlan& plan, const DayBill& bill, const Prices& prices);

}  // namespace bothy
