#pragma once

#include <stdint.h>

#include <atomic>

namespace bothy {

// How far packing or unpacking has come.  Written by the thread that does it, read by any.
struct TreeProgress {
  std::atomic<uint64_t> entries = 0;
  std::atomic<uint64_t> skipped = 0;  // what no archive of ours carries: devices, FIFOs, sockets
  std::atomic<uint64_t> bytes = 0;    // contents of files
};

}  // namespace bothy
