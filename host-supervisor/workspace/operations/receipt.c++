#include "workspace/operations/receipt.h"

#include <stdio.h>

namespace bothy {

kj::String secondsOf(kj::Duration time) {
  char text[32];
  snprintf(text, sizeof(text), "%.3f s", static_cast<double>(time / kj::NANOSECONDS) / 1e9);
  return kj::str(static_cast<const char*>(text));
}

kj::String clockText(kj::Duration behind) {
  return behind < 0 * kj::NANOSECONDS ? kj::str("its clock was ", secondsOf(-1 * behind), " ahead")
                                      : kj::str("its clock was ", secondsOf(behind), " behind");
}

}  // namespace bothy
