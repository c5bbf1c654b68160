#include "command/terminal-options.h"

namespace bothy {

void addDetachKeys(OptionParser& parser, DetachKeys& keys) {
  parser.value(0, "detach-keys", [&](kj::StringPtr given) {
    KJ_IF_MAYBE (parsed, DetachKeys::parse(given)) {
      keys = kj::mv(*parsed);
    } else {
      parser.fail(kj::str("--detach-keys wants keys like ctrl-],. or none, not ", given));
    }
  });
}

kj::Promise<int> runInTerminal(Context& context, kj::StringPtr workspace,
                               const CommandLine& command, DetachKeys keys) {
  TerminalSession session(context, {workspace, command, nullptr}, kj::mv(keys));
  co_return co_await session.run();
}

}  // namespace bothy
