#include "workspace/steps.h"

#include "agent/guest-text.h"

namespace bothy {

kj::String lineOf(const kj::Exception& exception) {
  return lineOfGuest(exception.getDescription());
}

}  // namespace bothy
