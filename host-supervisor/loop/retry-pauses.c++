#include "loop/retry-pauses.h"

#include <kj/debug.h>

namespace bothy {

kj::Exception overdue(kj::StringPtr what, kj::Duration limit) {
  return KJ_EXCEPTION(OVERLOADED, kj::str(what, " within ", limit / kj::SECONDS, " s"));
}

}  // namespace bothy
