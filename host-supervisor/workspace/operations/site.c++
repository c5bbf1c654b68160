#include "workspace/operations/site.h"

#include <kj/exception.h>

namespace bothy {

kj::String Site::consoleEnd() const {
  kj::String console;
  kj::runCatchingExceptions([&]() { console = world.files.consoleEnd(journal.row().id); });
  return console;
}

}  // namespace bothy
