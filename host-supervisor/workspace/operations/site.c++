#include "workspace/operations/site.h"

#include <kj/debug.h>

#include "machine/console-end.h"

namespace bothy {

kj::String Site::consoleEnd() const {
  KJ_IF_MAYBE (current, machine.current()) return bothy::consoleEnd(current->consoleEnd());
  return nullptr;
}

kj::Promise<kj::String> Site::lastConsoleEnd() const {
  if (machine.current() != nullptr) return consoleEnd();
  return consoleOfFile(world, journal.row().id);
}

kj::Promise<kj::String> consoleOfFile(const World& world, kj::StringPtr id) {
  return within(world.timer, world.deadlines.disk, "the console could not be read",
                kj::evalNow([&]() { return world.files.consoleEnd(id); }))
      .catch_([id = kj::str(id)](kj::Exception&& e) {
        KJ_LOG(ERROR, "the console of a workspace cannot be read", id, e.getDescription());
        return kj::String();
      });
}

}  // namespace bothy
