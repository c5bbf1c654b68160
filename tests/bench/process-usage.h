#pragma once

#include <sys/types.h>

#include <cstdint>

namespace bothy {

// What a process of this host has used so far, all its threads together.
struct ProcessUsage {
  double cpuMillis;
  uint64_t wakeUps;  // voluntary context switches

  static ProcessUsage of(pid_t process);
};

}  // namespace bothy
