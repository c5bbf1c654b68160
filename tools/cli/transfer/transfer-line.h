#pragma once

#include <kj/timer.h>

#include "console/progress-line.h"
#include "session/context.h"
#include "wire/escape.h"

namespace bothy {

// The line of a copy under way: how much, how fast, how long still.
class TransferLine final {
public:
  // `total` 0: unknown.  `done` gives the bytes so far; called while this object lives.
  TransferLine(Context& context, kj::StringPtr name, uint64_t total, kj::Function<uint64_t()> done);

private:
  kj::String render();

  Context& context;
  kj::String name;
  uint64_t total;
  kj::Function<uint64_t()> done;
  kj::TimePoint start;
  ProgressLine line;
};

// "  48% [=====>     ]  123 MiB of 256 MiB  92 MiB/s  2s left"; without a total only what is known.
kj::String describeTransfer(uint64_t done, uint64_t total, kj::Duration elapsed);
// With `name` before it where `columns` have room for that, and cut where they have none for it: a line that wraps could not be
// drawn over.
kj::String fitTransfer(kj::StringPtr name, kj::StringPtr progress, size_t columns);

}  // namespace bothy
