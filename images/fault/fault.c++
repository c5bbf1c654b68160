#include "fault/fault.h"

#include <kj/exception.h>

namespace bothy {

void fail(kj::String sentence) {
  kj::throwFatalException(
      kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::mv(sentence)));
}

}  // namespace bothy
