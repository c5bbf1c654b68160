#include "workspace/operations/site.h"

#include <kj/exception.h>

#include "machine/console-end.h"

namespace bothy {

kj::String Site::consoleEnd() const {
  KJ_IF_MAYBE (current, machine.current()) return bothy::consoleEnd(current->consoleEnd());
  kj::String console;
  kj::runCatchingExceptions([&]() { console = world.files.consoleEnd(journal.row().id); });
  return console;
}

}  // namespace bothy
