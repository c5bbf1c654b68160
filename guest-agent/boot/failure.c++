#include "boot/failure.h"

#include <errno.h>
#include <kj/exception.h>
#include <string.h>

namespace bothy {

void failStage(kj::String sentence) {
  kj::throwFatalException(
      kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::mv(sentence)));
}

void failCall(kj::StringPtr what) {
  auto reason = strerror(errno);
  failStage(kj::str(what, ": ", reason));
}

}  // namespace bothy
