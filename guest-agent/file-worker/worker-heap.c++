#include "file-worker/worker-heap.h"

#include <kj/common.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "process/text-file.h"

namespace bothy {
namespace {

// What stays in the heap when it is free, in bytes; and a mapping for each chunk would cost a fault for each of its pages.
constexpr int KEPT_HEAP_BYTES = 4 * 1024 * 1024;

// What the process may have grown by since its heap was last trimmed.
constexpr uint64_t KEPT_GROWTH_BYTES = 256 * 1024;

uint64_t residentBytes() {
  // "SIZE RESIDENT ...", in pages: proc_pid_statm(5).
  unsigned long long pages = 0;
  sscanf(readTextFile("/proc/self/statm").cStr(), "%*u %llu", &pages);
  return pages * static_cast<uint64_t>(getpagesize());
}

}  // namespace

void tuneHeap() {
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_THRESHOLD, KEPT_HEAP_BYTES);
  mallopt(M_TRIM_THRESHOLD, KEPT_HEAP_BYTES);
}

void trimHeap() {
  static uint64_t least = 0;  // since it was last trimmed
  const auto now = residentBytes();
  if (now > least + KEPT_GROWTH_BYTES) {
    malloc_trim(0);
    least = residentBytes();
  } else {
    least = kj::min(least, now);
  }
}

}  // namespace bothy
