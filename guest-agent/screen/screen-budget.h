#pragma once

#include <stddef.h>

#include <kj/common.h>

namespace bothy {

// What the cells of all screens may take of memory, in bytes.
class ScreenBudget final {
public:
  explicit ScreenBudget(size_t bytes) : left(bytes) {}
  KJ_DISALLOW_COPY_AND_MOVE(ScreenBudget);

  bool take(size_t bytes) {
    if (bytes > left) return false;
    left -= bytes;
    return true;
  }
  void giveBack(size_t bytes) { left += bytes; }

private:
  size_t left;
};

}  // namespace bothy
