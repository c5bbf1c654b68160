#pragma once

#include <sys/types.h>

#include <kj/common.h>

namespace bothy {

// What the cells of all screens may take of memory, in bytes.
class ScreenBudget final {
public:
  explicit ScreenBudget(size_t bytes) : left(static_cast<ssize_t>(bytes)) {}
  KJ_DISALLOW_COPY_AND_MOVE(ScreenBudget);

  bool take(size_t bytes) {
    if (static_cast<ssize_t>(bytes) > left) return false;
    takeAnyway(bytes);
    return true;
  }
  // Of what is small, and cannot be done without.
  void takeAnyway(size_t bytes) { left -= static_cast<ssize_t>(bytes); }
  void giveBack(size_t bytes) { left += static_cast<ssize_t>(bytes); }

private:
  ssize_t left;
};

}  // namespace bothy
